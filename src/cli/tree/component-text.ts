import type { ExploredComponent, ReferenceEntry, ResourceEntry, SignatureEntry } from "../../explore/component.ts";
import { formatIdentity } from "../../component/identity.ts";
import { plain } from "../terminal.ts";
import { type Branch, brief, capped, cells, type Detail, drawBelow } from "./text.ts";

/** What an OCM component version consists of, below the tree of what it is stored as. */
export function componentLines(component: ExploredComponent, detail: Detail = brief): string[] {
  if ("problem" in component)
    return ["", `component version: ! ${component.problem.code}: ${component.problem.message.split("\n", 1)[0]!}`].map(
      plain,
    );
  const { name, version, provider, resources, references, signatures } = component;
  const below = [
    ...capped(resources, resourceBranch, detail),
    ...capped(references, referenceBranch, detail),
    ...capped(signatures, signatureBranch, detail),
  ];
  return ["", cells(detail, "component", `${name}:${version}`, `by ${provider}`), ...drawBelow(below, "")].map(plain);
}

function resourceBranch({ type, access, digest, ...identity }: ResourceEntry, detail: Detail): Branch {
  return {
    text: cells(detail, "resource", formatIdentity(identity), type, access && accessText(access), shortened(digest)),
  };
}

function referenceBranch({ componentName, digest, ...identity }: ReferenceEntry, detail: Detail): Branch {
  return {
    text: cells(
      detail,
      "reference",
      formatIdentity(identity),
      `→ ${componentName}:${identity.version}`,
      shortened(digest),
    ),
  };
}

function signatureBranch({ name, algorithm, digest, issuer }: SignatureEntry, detail: Detail): Branch {
  return { text: cells(detail, "signature", name, algorithm, shortened(digest), issuer && `by ${issuer}`) };
}

/** Where it is, by the field that each type has for it. */
function accessText(access: NonNullable<ResourceEntry["access"]>): string {
  const place = ["localReference", "imageReference", "reference", "ref"]
    .map((key) => access[key])
    .find((value) => typeof value === "string");
  return place === undefined
    ? access.type
    : `${access.type} ${place.startsWith("sha256:") ? place.slice(0, 19) : place}`;
}

function shortened(digest: string | undefined): string {
  return digest === undefined ? "no digest" : digest.replace(/^(\S+ \w{12})\w+/, "$1");
}
