import { ociEmptyType } from "../oci/media-types.ts";
import type { Layer, ManifestNode } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";
import { profileOf } from "./known-layout.ts";
import { layerMatcher, type LayerMatcher } from "./layer-matcher.ts";
import type { Profile } from "./profile.ts";
import type { LayerSelector } from "./selection.ts";

/** What one manifest offers under a selector. */
export interface Offer {
  readonly node: ManifestNode;
  readonly profile: Profile | undefined;
  /** What may be taken, in order. */
  readonly pool: readonly Layer[];
  /** Why each layer that is not in the pool is not. */
  readonly passed: ReadonlyMap<Layer, string>;
}

/** Which layers are taken, or why that cannot be said. */
export type LayerChoice = (Picked | { readonly kind: "none" } | { readonly kind: "several" }) & {
  readonly offers: readonly Offer[];
  readonly operation: OperationName;
};

type Picked =
  | { readonly kind: "chosen"; readonly layers: readonly Layer[] }
  | { readonly kind: "ambiguous"; readonly offer: Offer }
  | { readonly kind: "outOfRange"; readonly offer: Offer; readonly offset: number };

/** Chooses among the layers of the chosen manifests; pure, so that a suggestion can be tried before it is made. */
export function chooseLayers(nodes: readonly ManifestNode[], selector: LayerSelector = {}): LayerChoice {
  const matcher = layerMatcher(selector);
  const offers = nodes.map((node) => offerOf(node, matcher));
  const giving = offers.filter(({ pool }) => pool.length > 0);
  const operation = operationOf(giving, selector);
  const offset = selector.offset ?? 0;
  if (giving.length === 0) return { kind: "none", offers, operation };
  if (operation === "ExtractAll" && (offset === 0 || selector.operation === "ExtractAll")) {
    return { kind: "chosen", layers: giving.flatMap(({ pool }) => pool), offers, operation };
  }
  if (giving.length > 1 && operation !== "ExtractAll") return { kind: "several", offers, operation };
  // Offset 0 is the default: without a filter it is no choice.
  return { ...pickOne(giving, offset, matcher.hasFilters || offset !== 0), offers, operation };
}

/** One layer of each manifest. */
function pickOne(giving: readonly Offer[], offset: number, isChoice: boolean): Picked {
  const outside = giving.find(({ pool }) => pool.at(offset) === undefined);
  if (outside !== undefined) return { kind: "outOfRange", offer: outside, offset };
  const unclear = giving.find(({ pool }) => pool.length > 1);
  if (unclear !== undefined && !isChoice) return { kind: "ambiguous", offer: unclear };
  return { kind: "chosen", layers: giving.map(({ pool }) => pool.at(offset)!) };
}

/**
 * Whether the selector says just what an OCIRepository's can: the exact type of an archive. Flux then extracts the first match, and
 * a manifest that was migrated must go on giving the same files.
 */
function isAsInFlux({ mediaType, annotations, offset = 0, filename }: LayerSelector): boolean {
  const isExact =
    mediaType !== undefined && !/[*?[\\]/.test(mediaType) && /[.+](?:tar|gz|gzip|tgz|tar\.gz)$/.test(mediaType);
  return isExact && Object.keys(annotations ?? {}).length === 0 && offset === 0 && filename === undefined;
}

/** Whether there is anything in a manifest that could be taken. */
export function hasContent(node: ManifestNode, selector: LayerSelector | undefined): boolean {
  return offerOf(node, layerMatcher()).pool.length > 0 || offerOf(node, layerMatcher(selector)).pool.length > 0;
}

/** Every layer of a manifest that holds something; the offset of each is its place in the manifest. */
export function layersOf(node: ManifestNode): Layer[] {
  return node.manifest.layers
    .map((descriptor, ordinal) => ({ descriptor, node, ordinal }))
    .filter((layer) => !isEmpty(layer));
}

export function configOf(node: ManifestNode): Layer {
  return { descriptor: node.manifest.config, node, ordinal: -1 };
}

/** OCI image-spec v1.1, manifest.md, "Guidance for an Empty Descriptor". */
export function isEmpty({ descriptor }: Layer): boolean {
  return descriptor.mediaType === ociEmptyType;
}

function offerOf(node: ManifestNode, matcher: LayerMatcher): Offer {
  const layers = layersOf(node);
  const profile = profileOf(node);
  return matcher.hasFilters ? filtered(node, layers, { matcher, profile }) : ofProfile(node, layers, profile);
}

function filtered(
  node: ManifestNode,
  layers: readonly Layer[],
  { matcher, profile }: { matcher: LayerMatcher; profile: Profile | undefined },
): Offer {
  const passed = new Map<Layer, string>();
  const pool = layers.filter((layer) => {
    const reason = matcher.reject(layer.descriptor);
    if (reason !== undefined) passed.set(layer, reason);
    return reason === undefined;
  });
  const config = configOf(node);
  // Layers come first: a glob such as `application/vnd.example.*` is not meant to mix the config into them.
  const isConfigMeant =
    pool.length === 0 && matcher.namesType && !isEmpty(config) && matcher.reject(config.descriptor) === undefined;
  return { node, profile, pool: isConfigMeant ? [config] : pool, passed };
}

function ofProfile(node: ManifestNode, layers: readonly Layer[], profile: Profile | undefined): Offer {
  const passed = new Map<Layer, string>();
  if (profile?.takesConfig === true) return { node, profile, pool: [configOf(node)], passed };
  const isContent = profile?.isContent ?? (() => true);
  for (const layer of layers)
    if (!isContent(layer.descriptor)) passed.set(layer, `it is no content of the ${profile?.name} layout`);
  return { node, profile, pool: layers.filter((layer) => !passed.has(layer)), passed };
}

/** The selector's, else that of the known layout, else Extract; a config blob is a file, never an archive to unpack. */
function operationOf(giving: readonly Offer[], selector: LayerSelector): OperationName {
  const { operation, layout } = selector;
  if (operation !== undefined) return operation;
  if (layout !== undefined) return "ExtractAll";
  if (isAsInFlux(selector)) return "Extract";
  const usual = new Set(
    giving.map(({ pool, profile }) => (pool[0]?.ordinal === -1 ? "Copy" : (profile?.operation ?? "Extract"))),
  );
  const [only, ...others] = usual;
  return only === undefined || others.length > 0 ? "Extract" : only;
}
