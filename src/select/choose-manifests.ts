import { formatPlatform, matchesPlatform } from "../oci/platform.ts";
import type { Descriptor, ManifestNode, Platform } from "../oci/types.ts";
import { walk, type Visit } from "../oci/walk.ts";
import { consideredOf } from "./choice.ts";
import { hasContent } from "./choose-layers.ts";
import { isStated, manifestMatcher, type ManifestMatcher } from "./manifest-matcher.ts";
import type { IndexSelector, LayerSelector, SelectRequest } from "./selection.ts";

/** Everything that was met below the root, in walk order. */
export interface Survey {
  readonly root: Descriptor;
  readonly visits: readonly Visit[];
}

/** Which manifests are taken, or why that cannot be said; `reasons` has a clause for every manifest that was fetched. */
export type ManifestChoice = { readonly reasons: ReadonlyMap<ManifestNode, string> } & (
  | { readonly kind: "chosen"; readonly nodes: readonly ManifestNode[]; readonly note?: string }
  | { readonly kind: "none" }
  | { readonly kind: "ambiguous"; readonly nodes: readonly ManifestNode[] }
  /** What is wanted, or may be, is listed and not in the registry. */
  | { readonly kind: "missing"; readonly missing: Missing }
);

/** A child that the registry does not have; `before` is how many manifests the walk had met by then. */
export interface Missing {
  readonly descriptor: Descriptor;
  readonly error: Error;
  readonly before: number;
}

/** As Flux: what an image without further word is taken for. */
const defaultPlatform: Platform = { os: "linux", architecture: "amd64" };

const emptyReason = "it has no layers to take";

const noteFor = (platform: Platform): string =>
  `${formatPlatform(platform)} was taken, since indexSelector.platform is absent`;

/** Walks as far as the selector needs. @throws what `walk` throws, InvalidSpec */
export async function* survey({
  root,
  repository,
  indexSelector,
  limits,
  signal,
}: SelectRequest): AsyncGenerator<Visit> {
  const matcher = manifestMatcher(indexSelector);
  for await (const visit of walk(repository, root, { limits, signal, refuse: matcher.refuse })) {
    yield visit;
    if (
      indexSelector?.match === "First" &&
      matcher.hasConditions &&
      visit.kind === "manifest" &&
      matcher.reject(visit.node) === undefined
    )
      return;
  }
}

/** The manifests that were read, in walk order. */
export function nodesOf({ visits }: Survey): ManifestNode[] {
  return visits.flatMap((visit) => (visit.kind === "manifest" ? [visit.node] : []));
}

/** What could not be read, each with how many manifests were read before it. */
export function missingOf({ visits }: Survey): Missing[] {
  let before = 0;
  return visits.flatMap((visit) => {
    if (visit.kind === "manifest") before += 1;
    return visit.kind === "missing" ? [{ descriptor: visit.descriptor, error: visit.error, before }] : [];
  });
}

/**
 * Chooses among what the walk has met, where some of it is missing: what is left is taken only where nothing that is
 * missing could have been meant instead, or as well.
 */
export function choosePresent(
  nodes: readonly ManifestNode[],
  missing: readonly Missing[],
  selector: IndexSelector | undefined,
  layerSelector: LayerSelector | undefined,
): ManifestChoice {
  const choice = chooseManifests(nodes, selector, layerSelector);
  const [first] = missing;
  if (first === undefined) return choice;
  if (selector?.match === "First" && choice.kind === "chosen" && nodes.indexOf(choice.nodes[0]!) < first.before)
    return choice;
  const { hasConditions } = manifestMatcher(selector);
  // What a descriptor rules out is never fetched, so whatever is missing here may well match.
  if (hasConditions || selector?.match !== undefined)
    return { kind: "missing", missing: first, reasons: choice.reasons };
  return usualAmong(nodes, missing, choice.reasons) ?? { kind: "missing", missing: first, reasons: choice.reasons };
}

/** The manifest for linux/amd64 among what is there and what is not, where the index tells all of them apart by platform. */
function usualAmong(
  nodes: readonly ManifestNode[],
  missing: readonly Missing[],
  known: ReadonlyMap<ManifestNode, string>,
): ManifestChoice | undefined {
  const reasons = new Map(known);
  const matching = nodes.filter((node) => known.get(node) !== emptyReason);
  const effectiveType = matching[0]?.effectiveType ?? "";
  const usual = defaultAmong([...matching, ...missing.map((one) => ({ ...one, effectiveType }))])?.descriptor;
  const node = matching.find(({ descriptor }) => descriptor === usual);
  const absent = missing.find(({ descriptor }) => descriptor === usual);
  if (absent !== undefined) return { kind: "missing", missing: absent, reasons };
  return node && asUsual(matching, node, reasons);
}

/** Chooses among what the walk has met; pure, so that a suggestion can be tried before it is made. */
export function chooseManifests(
  nodes: readonly ManifestNode[],
  selector: IndexSelector | undefined,
  layerSelector: LayerSelector | undefined,
): ManifestChoice {
  const matcher = manifestMatcher(selector);
  const { matching, reasons } = judge(nodes, matcher, layerSelector);
  const [first] = matching;
  if (first === undefined) return { kind: "none", reasons };
  if (selector?.match === "All") return taken(matching, matching, "it matches, and match is All", reasons);
  if (selector?.match === "First") return taken(matching, [first], "it is the first match", reasons);
  if (matching.length === 1) return taken(matching, matching, onlyReason(first, matcher), reasons);
  const usual = matcher.hasConditions ? undefined : defaultAmong(matching);
  if (usual !== undefined) return asUsual(matching, usual, reasons);
  for (const node of matching) reasons.set(node, `it is one of ${matching.length} manifests that match`);
  return { kind: "ambiguous", nodes: matching, reasons };
}

/** Taken for its platform, and said so. */
function asUsual(
  matching: readonly ManifestNode[],
  usual: ManifestNode,
  reasons: Map<ManifestNode, string>,
): ManifestChoice {
  const note = noteFor(usual.descriptor.platform ?? defaultPlatform);
  return { ...taken(matching, [usual], note, reasons), note };
}

function judge(
  nodes: readonly ManifestNode[],
  matcher: ManifestMatcher,
  layerSelector: LayerSelector | undefined,
): { matching: readonly ManifestNode[]; reasons: Map<ManifestNode, string> } {
  const reasons = new Map<ManifestNode, string>();
  const matching = nodes.filter((node) => {
    const reason = matcher.reject(node);
    if (reason !== undefined) reasons.set(node, reason);
    return reason === undefined;
  });
  if (matcher.hasConditions) return { matching, reasons };
  const considered = consideredOf(matching, (node) => hasContent(node, layerSelector));
  for (const node of matching) if (!considered.includes(node)) reasons.set(node, emptyReason);
  return { matching: considered, reasons };
}

function taken(
  matching: readonly ManifestNode[],
  nodes: readonly ManifestNode[],
  reason: string,
  reasons: Map<ManifestNode, string>,
): Extract<ManifestChoice, { kind: "chosen" }> {
  for (const node of matching) reasons.set(node, nodes.includes(node) ? reason : `another was taken: ${reason}`);
  return { kind: "chosen", nodes, reasons };
}

function onlyReason({ path }: ManifestNode, { hasConditions }: ManifestMatcher): string {
  if (hasConditions) return "it alone matches indexSelector";
  return path.length === 0 ? "it is what the reference names" : "it is the only manifest to take";
}

/** The manifest for linux/amd64 where the candidates differ in nothing but their platform. */
function defaultAmong<T extends Pick<ManifestNode, "descriptor" | "effectiveType">>(
  nodes: readonly T[],
): T | undefined {
  const types = new Set(nodes.map(({ effectiveType }) => effectiveType));
  const platforms = nodes.flatMap(({ descriptor: { platform } }) =>
    isStated(platform) ? [formatPlatform(platform)] : [],
  );
  if (types.size > 1 || new Set(platforms).size < nodes.length) return undefined;
  const fitting = nodes.filter(({ descriptor: { platform } }) => platform !== undefined && isDefault(platform));
  const plain = fitting.filter(({ descriptor: { platform } }) => platform?.variant === undefined);
  const [usual, ...others] = plain.length > 0 ? plain : fitting;
  return others.length === 0 ? usual : undefined;
}

/** Zarf's packages are for an architecture alone, and say so with `multi`. */
function isDefault(platform: Platform): boolean {
  const { os, architecture } = platform;
  return matchesPlatform(defaultPlatform, os === "multi" ? { os: defaultPlatform.os, architecture } : platform);
}
