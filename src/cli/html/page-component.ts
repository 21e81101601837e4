import { formatIdentity } from "../../component/identity.ts";
import type { ComponentEntry, ExploredComponent, ReferenceEntry } from "../../explore/component.ts";
import { factsOf, short } from "./facts.ts";
import { markup, type Markup } from "./markup.ts";
import type { Offer } from "./offers.ts";
import { below, grouped, rowMarkup, type Drawing } from "./page-row.ts";

/** What the component version consists of; nothing where it is none. */
export function componentMarkup(
  component: ExploredComponent | undefined,
  offers: readonly Offer[],
  drawing: Drawing,
): Markup | undefined {
  if (component === undefined) return undefined;
  if ("problem" in component)
    return rowMarkup(drawing, {
      className: "other unread",
      what: markup`<span class="kind">component</span> <span class="why">cannot be read: ${short(component.problem.message)}</span>`,
      size: "",
    });
  const { name, version, provider, resources, references, signatures } = component;
  const inner = below(drawing);
  const numbers = new Map(offers.filter(({ resource }) => resource !== undefined).map((offer, at) => [offer, at]));
  const rows = grouped(offers, inner, {
    draw: (offer, here) => resourceMarkup(offer, numbers.get(offer), here),
    isOpen: () => false,
    noun: "resources",
    hint: ({ entry }) => entry.name,
  });
  return rowMarkup(drawing, {
    className: "node component",
    what: markup`<span class="kind">component</span> <span class="name"><strong>${short(`${name}:${version}`)}</strong> <span class="why">by ${short(provider)}</span></span>`,
    size: `${resources.length} ${resources.length === 1 ? "resource" : "resources"}`,
    children: [
      rows,
      ...references.map((reference) => referenceMarkup(reference, inner)),
      ...signatures.map((signature) => signatureMarkup(signature, inner)),
    ],
  });
}

function resourceMarkup({ entry, why }: Offer, number: number | undefined, drawing: Drawing): Markup {
  const { type, relation, access, digest } = entry;
  const id = `resource-${number}`;
  const identity = formatIdentity(entry);
  const box =
    number === undefined
      ? markup`<input type="checkbox" disabled aria-label="${identity} cannot be taken">`
      : markup`<input type="checkbox" tabindex="-1" id="${id}" data-resource="${number}">`;
  const places = Object.entries(access ?? {}).flatMap(([key, value]) =>
    key !== "type" && typeof value === "string" ? [[`access ${key}`, value] as const] : [],
  );
  return rowMarkup(drawing, {
    className: number === undefined ? "empty" : "leaf",
    box,
    ...(number !== undefined && { labelled: id }),
    what: markup`<span class="kind">resource</span> <span class="name"><strong>${short(identity)}</strong> <span class="type">${short(type)}</span> <span class="badge">${short(access?.type ?? "no access")}</span>${why === undefined ? undefined : markup` <span class="why">${short(why)}</span>`}</span>`,
    size: relation,
    digest: hexOf(digest),
    facts: factsOf("Resource", [
      ["identity", identity],
      ["type", type],
      ["relation", relation],
      ["access", access?.type],
      ...places,
      ["digest", digest ?? "none is stated"],
    ]),
  });
}

function referenceMarkup({ componentName, digest, ...identity }: ReferenceEntry, drawing: Drawing): Markup {
  const text = formatIdentity(identity);
  const target = `${componentName}:${identity.version}`;
  return rowMarkup(drawing, {
    className: "referrer",
    what: markup`<span class="kind">reference</span> <span class="name"><strong>${short(text)}</strong> <span class="type">${short(target)}</span></span>`,
    size: "",
    digest: hexOf(digest),
    facts: factsOf("Reference", [
      ["identity", text],
      ["component", target],
      ["digest", digest ?? "none is stated"],
    ]),
  });
}

function signatureMarkup(
  { name, algorithm, digest, issuer }: ComponentEntry["signatures"][number],
  drawing: Drawing,
): Markup {
  return rowMarkup(drawing, {
    className: "referrer",
    what: markup`<span class="kind">signature</span> <span class="name"><strong>${short(name)}</strong> <span class="type">${short(algorithm)}</span> <span class="why">not verified here</span></span>`,
    size: "",
    digest: hexOf(digest),
    facts: factsOf("Signature", [
      ["name", name],
      ["algorithm", algorithm],
      ["issuer", issuer],
      ["digest", digest],
    ]),
  });
}

/** The hexadecimal digits in `SHA-256 0123… (genericBlobDigest/v1)`. */
function hexOf(digest: string | undefined): string | undefined {
  return digest === undefined ? undefined : /^\S+ (\w+)/.exec(digest)?.[1];
}
