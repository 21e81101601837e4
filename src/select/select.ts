import type { Layer, ManifestNode } from "../oci/types.ts";
import type { Visit } from "../oci/walk.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { isAsInFlux } from "./choice.ts";
import { chooseLayers, type LayerChoice } from "./choose-layers.ts";
import { choosePresent, missingOf, nodesOf, survey, type ManifestChoice } from "./choose-manifests.ts";
import { reportDecisions } from "./decisions.ts";
import { layerError, manifestError } from "./explain.ts";
import { namesOf, profileOf, rulesOf } from "./known-layout.ts";
import { layerMatcher } from "./layer-matcher.ts";
import { manifestMatcher } from "./manifest-matcher.ts";
import type { OperationName } from "../operation/operation.ts";
import type { LayerSelector, Selection, SelectRequest } from "./selection.ts";

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
  const turns = new EventLoopTurns(request.signal);
  try {
    for await (const visit of survey(request)) {
      visits.push(visit);
      if (visit.kind === "manifest") await look(visit.node, request, turns);
    }
    const met = { root, visits };
    manifests = choosePresent(nodesOf(met), missingOf(met), indexSelector, layerSelector);
    if (manifests.kind !== "chosen") throw manifestError(manifests, { survey: met, indexSelector, layerSelector });
    layers = chooseLayers(manifests.nodes, layerSelector);
    if (layers.kind !== "chosen") throw layerError(layers, manifests.nodes, layerSelector);
    return selectionOf(layers, layers.layers, request, manifests.note);
  } finally {
    if (onDecision !== undefined) reportDecisions({ visits, manifests, layers }, onDecision);
  }
}

/**
 * The manifests alone that `indexSelector` takes below a root, whatever their layers are.
 * @throws NoManifestMatch, AmbiguousManifest, as `selectLayers`
 */
export async function selectManifests(request: SelectRequest): Promise<readonly ManifestNode[]> {
  const { root, indexSelector } = request;
  const met = { root, visits: await Array.fromAsync(survey(request)) };
  const choice = choosePresent(nodesOf(met), missingOf(met), indexSelector, undefined);
  if (choice.kind === "chosen") return choice.nodes;
  throw manifestError(choice, { survey: met, indexSelector, layerSelector: undefined });
}

/** Matches patterns here, where others have their turn; whoever chooses finds the answers. */
async function look(
  node: ManifestNode,
  { indexSelector, layerSelector }: SelectRequest,
  turns: EventLoopTurns,
): Promise<void> {
  await turns.next();
  profileOf(node);
  const { hasFilters, reject } = layerMatcher(layerSelector);
  if (manifestMatcher(indexSelector).reject(node) !== undefined || !hasFilters) return;
  for (const layer of node.manifest.layers) {
    await turns.next();
    reject(layer);
  }
}

function selectionOf(
  { operation, offers }: LayerChoice,
  layers: readonly Layer[],
  { layerSelector, ignores }: SelectRequest,
  note: string | undefined,
): Selection {
  const nodes: readonly ManifestNode[] = [...new Set(layers.map(({ node }) => node))];
  return {
    nodes,
    layers,
    operation,
    layout: layerSelector?.layout ?? "Merge",
    ...(layerSelector?.filename !== undefined && { filename: layerSelector.filename }),
    ...knownOf(nodes, layers, { operation, offers, layerSelector, ignores }),
    ...(note !== undefined && { note }),
  };
}

interface Decided {
  readonly operation: OperationName;
  readonly offers: LayerChoice["offers"];
  readonly layerSelector: LayerSelector | undefined;
  readonly ignores: boolean | undefined;
}

/** What the layout of the layers adds, where it is known. */
function knownOf(
  nodes: readonly ManifestNode[],
  layers: readonly Layer[],
  decided: Decided,
): Pick<Selection, "profile" | "nameOf" | "rules" | "isUndecided"> {
  const { operation, layerSelector } = decided;
  const [profile, ...others] = new Set(nodes.map((node) => profileOf(node)?.name));
  const nameOf = namesOf(layers);
  const rules = rulesOf(layers, operation === "ExtractAll" && !layerMatcher(layerSelector).hasFilters);
  return {
    ...(nameOf && { nameOf }),
    ...(rules && { rules }),
    ...(profile !== undefined && others.length === 0 && { profile }),
    ...(isUndecided(layers, decided) && { isUndecided: true }),
  };
}

/** Whether the first bytes tell what is done: nobody has, and Flux would extract, or something is to be left out. */
function isUndecided(
  layers: readonly Layer[],
  { operation, offers, layerSelector = {}, ignores = false }: Decided,
): boolean {
  if (operation === "ExtractAll" || layerSelector.operation !== undefined) return false;
  if (layers.some(({ ordinal }) => ordinal < 0)) return false;
  if (isAsInFlux(offers, layerSelector)) return true;
  if (layers.every(({ node }) => profileOf(node) === undefined)) return true;
  // Nothing can be left out of a copy.
  return ignores && operation === "Copy" && layerSelector.filename === undefined;
}
