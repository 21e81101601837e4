import type { Layer, ManifestNode } from "../oci/types.ts";
import type { Visit } from "../oci/walk.ts";
import { chooseLayers, type LayerChoice } from "./choose-layers.ts";
import { chooseManifests, nodesOf, survey, type ManifestChoice } from "./choose-manifests.ts";
import { reportDecisions } from "./decisions.ts";
import { layerError, manifestError } from "./explain.ts";
import { namesOf, profileOf } from "./known-layout.ts";
import type { Selection, SelectRequest } from "./selection.ts";

/**
 * Which layers of which manifests are taken, and how they are combined (api.md, "Selection"). Fetches manifests and
 * indexes only, and none that its descriptor rules out.
 *
 * @throws NoManifestMatch, AmbiguousManifest, NoLayerMatch, AmbiguousLayer, OffsetOutOfRange with
 *   `details: {candidates, count, suggestion?}`, where `suggestion` is the fragment of the spec that decides;
 *   InvalidSpec, what `walk` throws
 */
export async function selectLayers(request: SelectRequest): Promise<Selection> {
  const { root, indexSelector, layerSelector, onDecision } = request;
  const visits: Visit[] = [];
  let manifests: ManifestChoice | undefined;
  let layers: LayerChoice | undefined;
  try {
    for await (const visit of survey(request)) visits.push(visit);
    const met = { root, visits };
    manifests = chooseManifests(nodesOf(met), indexSelector, layerSelector);
    if (manifests.kind !== "chosen") throw manifestError(manifests, { survey: met, indexSelector, layerSelector });
    layers = chooseLayers(manifests.nodes, layerSelector);
    if (layers.kind !== "chosen") throw layerError(layers, manifests.nodes, layerSelector);
    return selectionOf(layers, layers.layers, request, manifests.note);
  } finally {
    if (onDecision !== undefined) reportDecisions({ visits, manifests, layers }, onDecision);
  }
}

function selectionOf(
  { operation }: LayerChoice,
  layers: readonly Layer[],
  { layerSelector }: SelectRequest,
  note: string | undefined,
): Selection {
  const nodes: readonly ManifestNode[] = [...new Set(layers.map(({ node }) => node))];
  const [profile, ...others] = new Set(nodes.map((node) => profileOf(node)?.name));
  const nameOf = namesOf(layers);
  return {
    nodes,
    layers,
    operation,
    layout: layerSelector?.layout ?? "Merge",
    ...(layerSelector?.filename !== undefined && { filename: layerSelector.filename }),
    ...(nameOf && { nameOf }),
    ...(profile !== undefined && others.length === 0 && { profile }),
    ...(note !== undefined && { note }),
  };
}
