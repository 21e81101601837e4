import { titleKey } from "../../oci/annotations.ts";
import type { Explored } from "../../explore/explore.ts";
import { formatPlatform } from "../../oci/platform.ts";
import type { Descriptor, Digest, ManifestNode } from "../../oci/types.ts";
import { layerMatcher } from "../../select/layer-matcher.ts";
import { manifestMatcher } from "../../select/manifest-matcher.ts";
import { isQuotable } from "../../text/printable.ts";
import type { IndexSelector, LayerSelector } from "../../select/selection.ts";
import type { Numbered } from "./built-model.ts";
import type { LayerCondition, ManifestCondition } from "./model.ts";

/** More conditions than this add weight to a page, not choice. */
const maxConditions = 1000;
/** Every condition is tried on everything, so that of a large artifact fewer are tried. */
const maxTrials = 1_000_000;
/** What changes with every build tells a manifest no better than its digest. */
const volatile = /(?:^|[.-])(?:created|revision|digest)$/;

type Written = Pick<ManifestCondition, "key" | "value"> & { readonly field: string };

/** Everything that an indexSelector could say about these manifests, each tried on all of them by the real matcher. */
export function manifestConditions(nodes: readonly ManifestNode[], { root, graph }: Explored): ManifestCondition[] {
  const children = [...graph.values()].flatMap((body) => (body.kind === "index" ? body.manifests : []));
  // Where a digest stands in several places, the first of them counts, which comes last here.
  const indexes = new Map<Digest, Descriptor>(
    [...children, root].toReversed().map((descriptor) => [descriptor.digest, descriptor]),
  );
  const types = nodes.map(({ effectiveType }) => ({ field: "artifactType" as const, value: effectiveType }));
  const platforms = nodes.flatMap(platformCondition);
  const annotations = nodes.flatMap(({ effectiveAnnotations }) => annotationConditions(effectiveAnnotations));
  const written = unique([...types, ...platforms, ...annotations]).slice(0, maxTrials / nodes.length);
  return written.map((condition) => {
    const matcher = manifestMatcher(selectorOf(condition));
    const passes = ({ path }: ManifestNode): boolean =>
      path.every((digest) => matcher.refuse(indexes.get(digest)!) === undefined);
    const matching = nodes.map((node) => matcher.reject(node) === undefined && passes(node));
    const namesAttestations = nodes.some(
      ({ descriptor, path }, at) =>
        path.length > 0 &&
        matching[at] &&
        manifestMatcher({}).refuse(descriptor) !== undefined &&
        matcher.refuse(descriptor) === undefined,
    );
    return Object.assign(condition, { matches: places(matching), namesAttestations });
  });
}

/** An indexSelector judges what an index says of a platform, and only what it can write itself. */
function platformCondition({ descriptor, path }: ManifestNode): { field: "platform"; value: string }[] {
  if (descriptor.platform === undefined || path.length === 0) return [];
  const { os, architecture, variant } = descriptor.platform;
  const value = formatPlatform({ os, architecture, ...(variant !== undefined && { variant }) });
  return /^[\w.-]+(?:\/[\w.-]+){1,2}$/.test(value) ? [{ field: "platform", value }] : [];
}

/** Everything that a layerSelector could say about these layers, exact values before globs. */
export function layerConditions(all: readonly Numbered[]): LayerCondition[] {
  const layers = all.map(({ layer }) => layer.descriptor);
  const types = layers.map(({ mediaType }) => ({ field: "mediaType" as const, value: mediaType }));
  const titles = layers.flatMap(({ annotations }) => annotations?.[titleKey] ?? []);
  const annotations = layers.flatMap(({ annotations }) => annotationConditions(annotations ?? {}));
  const exact = unique([
    ...types,
    ...titles.map((value) => ({ field: "annotations" as const, key: titleKey, value })),
    ...annotations,
  ]);
  const globs = unique([
    ...types.map(({ value }) => ({ field: "mediaType" as const, value: value.replace(/[^.+/]+$/, "*") })),
    ...titles
      .flatMap((title) => [title.replace(/^.*(?=\.[\w-]+$)/s, "*"), title.replace(/[^/]+$/, "*")])
      .filter((value) => value.includes("*") && value !== "*")
      .map((value) => ({ field: "annotations" as const, key: titleKey, value })),
  ]);
  return [...exact, ...globs].slice(0, Math.min(maxConditions, maxTrials / layers.length)).map((condition) => {
    const matcher = layerMatcher(selectorOf(condition));
    return Object.assign(condition, {
      matches: places(layers.map((descriptor) => matcher.reject(descriptor) === undefined)),
    });
  });
}

function annotationConditions(
  annotations: Readonly<Record<string, string>>,
): { field: "annotations"; key: string; value: string }[] {
  return Object.entries(annotations).flatMap(([key, value]) =>
    volatile.test(key) || !isQuotable(key) ? [] : [{ field: "annotations" as const, key, value }],
  );
}

function selectorOf({ field, key, value }: Written): IndexSelector & LayerSelector {
  return key === undefined ? { [field]: value } : { annotations: { [key]: value } };
}

function unique<T extends Written>(conditions: readonly T[]): T[] {
  const byText = new Map(
    conditions
      .filter(({ value }) => isQuotable(value))
      .map((condition) => [JSON.stringify([condition.field, condition.key, condition.value]), condition]),
  );
  return [...byText.values()].slice(0, maxConditions);
}

function places(matching: readonly boolean[]): number[] {
  return matching.flatMap((matches, at) => (matches ? [at] : []));
}
