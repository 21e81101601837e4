import { defaultLimits } from "../../config.ts";
import { selectedLayers, type Explored } from "../../explore/explore.ts";
import { manifestNodes } from "../../explore/tree.ts";
import { CodedError } from "../../errors.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Layer, ManifestNode } from "../../oci/types.ts";
import { chooseLayers, configOf, isEmpty, layersOf } from "../../select/choose-layers.ts";
import { chooseManifests } from "../../select/choose-manifests.ts";
import { archiveType, profileOf, usualOperation } from "../../select/known-layout.ts";
import { isAttestation } from "../../select/manifest-matcher.ts";
import type { BuiltModel, Numbered } from "./built-model.ts";
import { consumerOf } from "./consumer.ts";
import { layerConditions, manifestConditions } from "./conditions.ts";
import type { PageLayer, PageManifest, PageModel, PageResource } from "./model.ts";
import { resourceOffers } from "./offers.ts";

/** A page with more rows than this is no help to anybody. */
const maxLayers = 20_000;
/** An index with more manifests is not walked by the controller: only a digest names one of them. */
const { maxManifests } = defaultLimits;

/** @throws TooManyManifests where a page cannot show it all */
export function buildModel(
  explored: Explored,
  source: Pick<PageModel, "url" | "insecure" | "ref" | "name">,
): BuiltModel {
  const nodes = manifestNodes(explored.root, explored.graph);
  const layersOfManifest = numberLayers(nodes);
  const all = layersOfManifest.flat();
  if (all.length > maxLayers)
    throw new CodedError(
      "TooManyManifests",
      `${explored.root.digest} has ${all.length} layers, more than the ${maxLayers} of a page; use --output json, or name one of its children by its digest`,
    );
  const usual = chooseManifests(nodes, undefined, undefined);
  const usualNodes = usual.kind === "chosen" ? usual.nodes : [];
  const selected = new Set(selectedLayers(explored).map(keyOf));
  const isIncomplete =
    nodes.length > maxManifests || [...explored.graph.values()].some(({ kind }) => kind === "unread");
  const offers = resourceOffers(explored.component);
  const model: PageModel = {
    ...source,
    isIncomplete,
    manifests: nodes.map((node, at) => pageManifest(node, layersOfManifest[at]!)),
    layers: layersOfManifest.flatMap(pageLayers),
    manifestConditions: isIncomplete ? [] : manifestConditions(nodes, explored),
    layerConditions: layerConditions(all),
    usualManifests: usualNodes.map((node) => nodes.indexOf(node)),
    resources: offers.flatMap(({ resource }): PageResource[] => (resource === undefined ? [] : [resource])),
    usualLayers: all.filter(({ layer }) => selected.has(keyOf(layer))).map(({ number }) => number),
  };
  return {
    model,
    manifestNumbers: new Map(nodes.map(({ descriptor }, at) => [descriptor.digest, at])),
    layersOfManifest,
    offers,
  };
}

/** What a reference amounts to in a spec. A layout on disk has no URL, so that one stands there to be replaced. */
export function sourceOf(
  reference: Reference,
  insecure: boolean,
): Pick<PageModel, "url" | "insecure" | "ref" | "name"> {
  const { tag, digest } = reference;
  const ref = { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
  const repository = reference.kind === "registry" ? reference.repository : "example";
  const url =
    reference.kind === "registry" ? `oci://${reference.registry}/${repository}` : "oci://registry.example/repository";
  return { url, insecure, ref, name: objectName(repository) };
}

/** A name for the object, as Kubernetes takes it. */
export function objectName(repository: string): string {
  const last = repository.split("/").at(-1)!;
  return (
    last
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 63)
      .replace(/-+$/, "") || "artifact"
  );
}

function numberLayers(nodes: readonly ManifestNode[]): Numbered[][] {
  let next = 0;
  return nodes.map((node) => {
    const config = configOf(node);
    return [...layersOf(node), ...(isEmpty(config) ? [] : [config])].map((layer) => ({ number: next++, layer }));
  });
}

function pageLayers(numbered: readonly Numbered[], manifest: number): PageLayer[] {
  return numbered.map(({ layer }) => ({
    manifest,
    isConfig: layer.ordinal < 0,
    isArchive: archiveType.test(layer.descriptor.mediaType),
  }));
}

function pageManifest(node: ManifestNode, numbered: readonly Numbered[]): PageManifest {
  const [offer] = chooseLayers([node]).offers;
  const profile = profileOf(node);
  const pool = offer?.pool ?? [];
  const keys = new Set(pool.map(keyOf));
  return {
    digest: node.descriptor.digest,
    isAttestation: node.path.length > 0 && isAttestation(node.descriptor),
    operation: usualOperation(node) ?? "Extract",
    isKnown: profile !== undefined,
    consumer: consumerOf({ profile: profile?.name, layers: pool }),
    isPinnable: profileOf(withoutIndex(node))?.name === profile?.name,
    pool: numbered.filter(({ layer }) => keys.has(keyOf(layer))).map(({ number }) => number),
    layers: numbered.map(({ number }) => number),
  };
}

/** The same manifest, where a reference names it by its digest. */
function withoutIndex({ descriptor: { mediaType, digest, size }, manifest }: ManifestNode): ManifestNode {
  return {
    descriptor: { mediaType, digest, size },
    manifest,
    path: [],
    effectiveType: manifest.artifactType ?? manifest.config.mediaType,
    effectiveAnnotations: manifest.annotations ?? {},
  };
}

function keyOf({ node, ordinal }: Layer): string {
  return `${node.descriptor.digest} ${ordinal}`;
}
