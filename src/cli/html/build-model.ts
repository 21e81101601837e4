import { selectedLayers, type Explored } from "../../explore/explore.ts";
import { manifestNodes } from "../../explore/tree.ts";
import { CodedError } from "../../errors.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Layer, ManifestNode } from "../../oci/types.ts";
import { chooseLayers, configOf, isEmpty, layersOf } from "../../select/choose-layers.ts";
import { chooseManifests } from "../../select/choose-manifests.ts";
import { archiveType, profileOf, usualOperation } from "../../select/known-layout.ts";
import { isAttestation } from "../../select/manifest-matcher.ts";
import { layerConditions, manifestConditions } from "./conditions.ts";
import type { PageLayer, PageManifest, PageModel } from "./model.ts";

/** A page with more rows than this is no help to anybody. */
const maxLayers = 5000;

/** A layer or config of the model, with its number. */
export interface Numbered {
  readonly number: number;
  readonly layer: Layer;
}

export interface BuiltModel {
  readonly model: PageModel;
  /** Number of each manifest, by digest. */
  readonly manifestNumbers: ReadonlyMap<string, number>;
  /** Layers and configs of each manifest, in its order. */
  readonly layersOfManifest: readonly (readonly Numbered[])[];
}

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
  const selected = selectedLayers(explored);
  const model: PageModel = {
    ...source,
    isIncomplete: [...explored.graph.values()].some(({ kind }) => kind === "unread"),
    manifests: nodes.map((node, at) => pageManifest(node, layersOfManifest[at]!)),
    layers: layersOfManifest.flatMap((numbered, manifest) =>
      numbered.map(({ layer }): PageLayer => ({
        manifest,
        isConfig: layer.ordinal < 0,
        isArchive: archiveType.test(layer.descriptor.mediaType),
      })),
    ),
    manifestConditions: manifestConditions(nodes, explored),
    layerConditions: layerConditions(all),
    usualManifests: usualNodes.map((node) => nodes.indexOf(node)),
    usualLayers: all
      .filter(({ layer }) => selected.some((taken) => isSameLayer(taken, layer)))
      .map(({ number }) => number),
  };
  return {
    model,
    manifestNumbers: new Map(nodes.map(({ descriptor }, at) => [descriptor.digest, at])),
    layersOfManifest,
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

function pageManifest(node: ManifestNode, numbered: readonly Numbered[]): PageManifest {
  const [offer] = chooseLayers([node]).offers;
  const profile = profileOf(node);
  const pool = offer?.pool ?? [];
  return {
    digest: node.descriptor.digest,
    isAttestation: node.path.length > 0 && isAttestation(node.descriptor),
    operation: usualOperation(node) ?? "Extract",
    isKnown: profile !== undefined,
    isPinnable: profileOf(withoutIndex(node))?.name === profile?.name,
    pool: numbered.filter(({ layer }) => pool.some((taken) => isSameLayer(taken, layer))).map(({ number }) => number),
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

function isSameLayer(left: Layer, right: Layer): boolean {
  return left.node.descriptor.digest === right.node.descriptor.digest && left.ordinal === right.ordinal;
}
