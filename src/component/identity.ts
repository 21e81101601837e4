import { CodedError } from "../errors.ts";
import { counted } from "../text/count.ts";
import { isQuotable, printable } from "../text/printable.ts";
import type { Element } from "./descriptor.ts";

/** What an identity is made of. */
type Identified = Pick<Element, "name" | "version" | "extraIdentity">;

/** Which element of a component version is meant (ocm-spec, "Element Identity"). */
export interface IdentitySelector {
  readonly name: string;
  readonly version?: string | undefined;
  /** Every attribute must be there with this value; an empty map means an element without any. */
  readonly extraIdentity?: Readonly<Record<string, string>> | undefined;
}

const maxListed = 20;

/** What an element is called in messages: `config 1.0.0 (env=prod)`. */
export function formatIdentity({ name, version, extraIdentity }: Element | IdentitySelector): string {
  const extra = Object.entries(extraIdentity ?? {}).map(
    ([key, value]) => `${printable(key, 60)}=${printable(value, 60)}`,
  );
  return [printable(name), version && printable(version, 60), extra.length > 0 && `(${extra.join(", ")})`]
    .filter(Boolean)
    .join(" ");
}

/** Elements that fit. One whose extraIdentity is just what was written comes before those that have more. */
export function matching<T extends Identified>(elements: readonly T[], wanted: IdentitySelector): readonly T[] {
  const fitting = elements.filter((element) => fits(element, wanted));
  const { extraIdentity } = wanted;
  if (extraIdentity === undefined) return fitting;
  const size = Object.keys(extraIdentity).length;
  const exact = fitting.filter((element) => Object.keys(element.extraIdentity).length === size);
  return exact.length > 0 || size === 0 ? exact : fitting;
}

function fits(element: Identified, { name, version, extraIdentity = {} }: IdentitySelector): boolean {
  return (
    element.name === name &&
    (version === undefined || element.version === version) &&
    Object.entries(extraIdentity).every(
      ([key, value]) => Object.hasOwn(element.extraIdentity, key) && element.extraIdentity[key] === value,
    )
  );
}

/** The shortest selector that means this element alone; undefined where none does, or where it cannot be written down. */
export function selectorFor(element: Identified, elements: readonly Identified[]): IdentitySelector | undefined {
  const { name, version, extraIdentity } = element;
  const single = Object.entries(extraIdentity).map(([key, value]) => ({ [key]: value }));
  const variants: IdentitySelector[] = [
    { name },
    ...single.map((attribute) => ({ name, extraIdentity: attribute })),
    { name, extraIdentity },
    ...(version === ""
      ? []
      : [
          { name, version },
          { name, version, extraIdentity },
        ]),
  ];
  const found = variants.find((variant) => {
    const [only, ...others] = matching(elements, variant);
    return only === element && others.length === 0;
  });
  return found !== undefined && isWritable(found) ? found : undefined;
}

function isWritable({ name, version, extraIdentity = {} }: IdentitySelector): boolean {
  const texts = [name, ...(version === undefined ? [] : [version]), ...Object.entries(extraIdentity).flat()];
  return texts.every(isQuotable);
}

/** What is chosen among, for messages. */
export interface Elements<T extends Element> {
  /** `resource`, `component reference` */
  readonly kind: string;
  /** `fx.example/app:1.0.0` */
  readonly of: string;
  readonly all: readonly T[];
  /** One line about an element. */
  readonly line: (element: T) => string;
  /** The fragment of a spec that means the element. */
  readonly suggest: (selector: IdentitySelector) => object;
  readonly yaml: (suggestion: object) => string;
}

/**
 * The one element that is meant.
 * @param wanted undefined: nobody has said which
 * @throws NoResourceMatch, AmbiguousResource with `details: {candidates, count, suggestion?}`
 */
export function only<T extends Element>(wanted: IdentitySelector | undefined, elements: Elements<T>): T {
  const found = wanted === undefined ? elements.all : matching(elements.all, wanted);
  const [element, ...others] = found;
  if (element !== undefined && others.length === 0 && wanted !== undefined) return element;
  throw element === undefined ? none(wanted, elements) : several(found, wanted, elements);
}

function none<T extends Element>(wanted: IdentitySelector | undefined, elements: Elements<T>): CodedError {
  const { kind, of, all } = elements;
  if (all.length === 0)
    return new CodedError("NoResourceMatch", `${of} has no ${kind}s`, { details: { candidates: [], count: 0 } });
  const asked = wanted === undefined ? "" : ` ${formatIdentity(wanted)}`;
  return refusal(
    "NoResourceMatch",
    `${of} has no ${kind}${asked}; there ${all.length === 1 ? "is" : "are"}`,
    all,
    elements,
  );
}

function several<T extends Element>(
  found: readonly T[],
  wanted: IdentitySelector | undefined,
  elements: Elements<T>,
): CodedError {
  const { kind, of } = elements;
  const headline =
    wanted === undefined
      ? `${of} is an OCM component version with ${counted(found.length, kind)}; choose one:`
      : `${of} has ${found.length} ${kind}s ${formatIdentity(wanted)}; choose one:`;
  return refusal("AmbiguousResource", headline, found, elements);
}

function refusal<T extends Element>(
  code: "NoResourceMatch" | "AmbiguousResource",
  headline: string,
  candidates: readonly T[],
  { all, line, suggest, yaml }: Elements<T>,
): CodedError {
  const listed = candidates.slice(0, maxListed);
  const more = candidates.length - listed.length;
  const suggestions = listed.flatMap((element) => {
    const selector = selectorFor(element, all);
    return selector === undefined ? [] : [{ element, fragment: suggest(selector) }];
  });
  const [first] = suggestions;
  const message = [
    headline,
    ...listed.map((element) => `  ${line(element)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(first === undefined ? [] : [`to take ${formatIdentity(first.element)}, write`, yaml(first.fragment)]),
  ];
  return new CodedError(code, message.join("\n"), {
    details: {
      candidates: listed.map(candidateOf),
      count: candidates.length,
      ...(first && { suggestion: first.fragment }),
    },
  });
}

function candidateOf({ name, version, extraIdentity }: Element): Record<string, unknown> {
  const extra = Object.entries(extraIdentity).map(([key, value]) => [printable(key, 60), printable(value, 60)]);
  return { name: printable(name), version: printable(version, 60), extraIdentity: Object.fromEntries(extra) };
}
