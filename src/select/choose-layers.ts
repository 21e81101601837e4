import { ociEmptyType } from "../oci/media-types.ts";
import type { Layer, ManifestNode } from "../oci/types.ts";
import { chooseAmong, filteredPool, type Choice, type Offered } from "./choice.ts";
import { profileOf, usualOperation } from "./known-layout.ts";
import { layerMatcher } from "./layer-matcher.ts";
import type { Profile } from "./profile.ts";
import type { LayerSelector } from "./selection.ts";

/** What one manifest offers under a selector. */
export interface Offer extends Offered {
  readonly node: ManifestNode;
  readonly profile: Profile | undefined;
  readonly pool: readonly Layer[];
  /** Why each layer that is not in the pool is not. */
  readonly passed: ReadonlyMap<Layer, string>;
}

/** Which layers are taken, or why that cannot be said. */
export type LayerChoice = Choice<Offer> & { readonly offers: readonly Offer[] };

/** Chooses among the layers of the chosen manifests; pure, so that a suggestion can be tried before it is made. */
export function chooseLayers(nodes: readonly ManifestNode[], selector: LayerSelector = {}): LayerChoice {
  const offers = nodes.map((node) => offerOf(node, selector));
  return { ...chooseAmong(offers, selector), offers };
}

/** Whether there is anything in a manifest that could be taken. */
export function hasContent(node: ManifestNode, selector: LayerSelector | undefined): boolean {
  return offerOf(node, {}).pool.length > 0 || offerOf(node, selector ?? {}).pool.length > 0;
}

/** Every layer of a manifest that holds something; the offset of each is its place in the manifest. */
export function layersOf(node: ManifestNode): Layer[] {
  return node.manifest.layers
    .map((descriptor, ordinal) => ({ descriptor, node, ordinal }))
    .filter((layer) => !isEmpty(layer));
}

/** The config of a manifest, as if it were a layer; its ordinal is -1. */
export function configOf(node: ManifestNode): Layer {
  return { descriptor: node.manifest.config, node, ordinal: -1 };
}

/** OCI image-spec v1.1, manifest.md, "Guidance for an Empty Descriptor". */
export function isEmpty({ descriptor }: Layer): boolean {
  return descriptor.mediaType === ociEmptyType;
}

function offerOf(node: ManifestNode, selector: LayerSelector): Offer {
  const profile = profileOf(node);
  const { pool, passed } = layerMatcher(selector).hasFilters ? filtered(node, selector) : contentOf(node, profile);
  return { node, profile, usual: usualOperation(node), pool, passed, isConfig: pool[0]?.ordinal === -1 };
}

function filtered(node: ManifestNode, selector: LayerSelector): Pick<Offer, "pool" | "passed"> {
  const matcher = layerMatcher(selector);
  const passed = new Map<Layer, string>();
  const layers = layersOf(node).filter((layer) => {
    const reason = matcher.reject(layer.descriptor);
    if (reason !== undefined) passed.set(layer, reason);
    return reason === undefined;
  });
  const config = configOf(node);
  const isPassing = !isEmpty(config) && matcher.reject(config.descriptor) === undefined;
  return { pool: filteredPool(layers, isPassing ? [config] : [], selector), passed };
}

/** What is taken without filters. */
function contentOf(node: ManifestNode, profile: Profile | undefined): Pick<Offer, "pool" | "passed"> {
  const passed = new Map<Layer, string>();
  if (profile?.takesConfig === true) return { pool: [configOf(node)], passed };
  const layers = layersOf(node);
  const isContent = profile?.isContent ?? (() => true);
  for (const layer of layers)
    if (!isContent(layer.descriptor)) passed.set(layer, `it is not content of the ${profile?.name} layout`);
  return { pool: layers.filter((layer) => !passed.has(layer)), passed };
}
