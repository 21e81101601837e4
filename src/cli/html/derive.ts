import type { OperationName } from "../../operation/operation.ts";
import type { LayerCondition, ManifestCondition, PageModel, PickedSpec } from "./model.ts";
import type { PageScope } from "./page-scope.ts";

// All functions of this file run in the page, too: they use nothing from elsewhere.

/** The spec that takes exactly the picked layers, or a sentence saying why there is none. */
export function deriveSpec(
  model: PageModel,
  picked: readonly number[],
  operation: OperationName | undefined,
): PickedSpec | string {
  if (picked.length === 0) return "Pick a manifest or a layer.";
  const manifests = manifestsOf(model, picked);
  if (picked.length > 1 && (operation === "Copy" || operation === "Extract"))
    return `${operation} takes one layer. Pick one, or choose ExtractAll.`;
  const trial = findLayerTrial(model, picked, operation);
  const chosen = trial && findManifests(model, manifests, trial.conditions);
  if (trial === undefined || chosen === undefined) {
    return `No single selector takes exactly these ${trial === undefined ? "layers" : "manifests"}: what they have in common is shared by others, too. Pick more, or fewer.`;
  }
  const ref = chosen.isPinned ? { digest: model.manifests[manifests[0]!]!.digest } : model.ref;
  return { ref, ...indexFields(chosen), ...layerFields(trial) };
}

function indexFields({ conditions, isAll }: ManifestChoice): Pick<PickedSpec, "indexSelector"> {
  return conditions.length === 0 && !isAll
    ? {}
    : { indexSelector: { ...conditionFields(conditions), ...(isAll && { match: "All" as const }) } };
}

function layerFields({ conditions, offset, operation }: LayerTrial): Pick<PickedSpec, "layerSelector"> {
  const layerSelector = {
    ...conditionFields(conditions),
    ...(offset !== 0 && { offset }),
    ...(operation !== undefined && { operation }),
  };
  return Object.keys(layerSelector).length === 0 ? {} : { layerSelector };
}

/** How manifests are told from the others: by nothing, by conditions, or by a digest. */
interface ManifestChoice {
  readonly conditions: readonly ManifestCondition[];
  readonly isAll: boolean;
  readonly isPinned: boolean;
}

function findManifests(
  model: PageModel,
  manifests: readonly number[],
  filters: readonly LayerCondition[],
): ManifestChoice | undefined {
  const candidates = candidatesUnder(model, filters);
  const isAll = manifests.length > 1;
  const pinned =
    isAll || !model.manifests[manifests[0]!]!.isPinnable ? undefined : { conditions: [], isAll, isPinned: true };
  if (model.isIncomplete) return pinned;
  if (isSame(model.usualManifests, manifests) && isSame(candidates, candidatesUnder(model, [])))
    return { conditions: [], isAll, isPinned: false };
  if (isAll && isSame(candidates, manifests)) return { conditions: [], isAll, isPinned: false };
  const shared = model.manifestConditions.filter(({ matches }) =>
    manifests.every((manifest) => matches.includes(manifest)),
  );
  const pairs = shared.flatMap((first, at) =>
    shared
      .slice(at + 1)
      .flatMap((second) => (first.field === second.field && first.key === second.key ? [] : [[first, second]])),
  );
  const conditions = [...shared.map((condition) => [condition]), ...pairs].find((trial) =>
    isSame(manifestsTaken(model, trial), manifests),
  );
  return conditions === undefined ? pinned : { conditions, isAll, isPinned: false };
}

/** Manifests that meet every condition; attestations only where one of them names such. */
function manifestsTaken(model: PageModel, conditions: readonly ManifestCondition[]): number[] {
  const isOpen = conditions.some(({ namesAttestations }) => namesAttestations);
  return model.manifests.flatMap(({ isAttestation }, at) =>
    (!isAttestation || isOpen) && conditions.every(({ matches }) => matches.includes(at)) ? [at] : [],
  );
}

/** The manifests that are considered without an indexSelector: those with something to take. */
function candidatesUnder(model: PageModel, filters: readonly LayerCondition[]): number[] {
  const shown = model.manifests.flatMap(({ isAttestation }, at) => (isAttestation ? [] : [at]));
  const full = shown.filter((at) => model.manifests[at]!.pool.length > 0 || poolOf(model, at, filters).length > 0);
  return full.length > 0 ? full : shown;
}

/** Conditions as the fields of a selector. */
function conditionFields(conditions: readonly (ManifestCondition | LayerCondition)[]): {
  [field: string]: string | Record<string, string>;
} {
  const fields = conditions.flatMap(({ field, key, value }) => (key === undefined ? [[field, value] as const] : []));
  const annotations = conditions.flatMap(({ key, value }) => (key === undefined ? [] : [[key, value] as const]));
  return {
    ...Object.fromEntries(fields),
    ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
  };
}

/** A layerSelector under trial. */
interface LayerTrial {
  readonly conditions: readonly LayerCondition[];
  readonly offset: number;
  readonly operation: OperationName | undefined;
}

/** What a filter leaves of one manifest: its layers, or its config where a type names that and no layer. */
function poolOf(model: PageModel, manifest: number, conditions: readonly LayerCondition[]): number[] {
  const { pool, layers } = model.manifests[manifest]!;
  if (conditions.length === 0) return [...pool];
  const passing = layers.filter((layer) => conditions.every(({ matches }) => matches.includes(layer)));
  const blobs = passing.filter((layer) => !model.layers[layer]!.isConfig);
  return blobs.length > 0 || !conditions.some(({ field }) => field === "mediaType") ? blobs : passing;
}

/** The layers that a layerSelector takes from these manifests; undefined where it is refused. */
function layersTaken(
  model: PageModel,
  manifests: readonly number[],
  { conditions, offset, operation }: LayerTrial,
): number[] | undefined {
  const giving = manifests.filter((manifest) => poolOf(model, manifest, conditions).length > 0);
  const pools = giving.map((manifest) => poolOf(model, manifest, conditions));
  const done = operation ?? usualOperation(model, giving, pools);
  if (pools.length === 0) return undefined;
  if (done === "ExtractAll" && (offset === 0 || operation === "ExtractAll")) return pools.flat();
  if (pools.length > 1 && done !== "ExtractAll") return undefined;
  return oneOfEach(pools, offset, conditions.length > 0 || offset !== 0);
}

/** What is done where no operation is named. */
function usualOperation(
  model: PageModel,
  giving: readonly number[],
  pools: readonly (readonly number[])[],
): OperationName {
  const usual = giving.map((manifest, at) =>
    model.layers[pools[at]![0]!]!.isConfig ? "Copy" : model.manifests[manifest]!.operation,
  );
  return usual.every((name) => name === usual[0]) ? (usual[0] ?? "Extract") : "Extract";
}

function oneOfEach(pools: readonly (readonly number[])[], offset: number, isChoice: boolean): number[] | undefined {
  if (!isChoice && pools.some(({ length }) => length > 1)) return undefined;
  const taken = pools.map((pool) => pool.at(offset));
  return taken.includes(undefined) ? undefined : (taken as number[]);
}

/** The shortest layerSelector that takes exactly `picked`; undefined where there is none. */
function findLayerTrial(
  model: PageModel,
  picked: readonly number[],
  operation: OperationName | undefined,
): LayerTrial | undefined {
  const manifests = manifestsOf(model, picked);
  const shared = model.layerConditions.filter(({ matches }) => picked.every((layer) => matches.includes(layer)));
  const types = shared.filter(({ field }) => field === "mediaType");
  const filters = [
    [],
    ...shared.map((condition) => [condition]),
    ...types.flatMap((type) =>
      shared.filter(({ field }) => field === "annotations").map((condition) => [type, condition]),
    ),
  ];
  for (const done of operationsFor(model, picked, operation)) {
    const trials = [
      ...filters.map((conditions) => ({ conditions, offset: 0, operation: done })),
      ...(done === "ExtractAll"
        ? []
        : [...filters.slice(1), []].map((conditions) => ({
            conditions,
            offset: offsetOf(model, picked, conditions),
            operation: done,
          }))),
    ];
    const found = trials.find((trial) => isSame(layersTaken(model, manifests, trial) ?? [], picked));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Which operations to try: the one that is asked for, else the usual one, else one that fits the layers. */
function operationsFor(
  model: PageModel,
  picked: readonly number[],
  operation: OperationName | undefined,
): (OperationName | undefined)[] {
  if (operation !== undefined) return [operation];
  if (picked.length > 1) return [undefined, "ExtractAll"];
  const { manifest, isArchive, isConfig } = model.layers[picked[0]!]!;
  const fitting = isArchive && !isConfig ? "Extract" : "Copy";
  return model.manifests[manifest]!.isKnown || fitting === "Extract" ? [undefined, fitting] : [fitting];
}

/** Where the picked layer stands in what a filter leaves; without a filter counted from the end, since 0 is no choice there. */
function offsetOf(model: PageModel, picked: readonly number[], conditions: readonly LayerCondition[]): number {
  const pool = poolOf(model, model.layers[picked[0]!]!.manifest, conditions);
  const place = pool.indexOf(picked[0]!);
  return conditions.length === 0 && place === 0 ? -pool.length : place;
}

export function manifestsOf(model: PageModel, layers: readonly number[]): number[] {
  return model.manifests.flatMap((_, at) => (layers.some((layer) => model.layers[layer]!.manifest === at) ? [at] : []));
}

/** Whether two lists hold the same numbers. */
export function isSame(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((value) => right.includes(value));
}

export const deriveScope: PageScope = {
  functions: [
    deriveSpec,
    indexFields,
    layerFields,
    findManifests,
    manifestsTaken,
    candidatesUnder,
    conditionFields,
    poolOf,
    layersTaken,
    usualOperation,
    oneOfEach,
    findLayerTrial,
    operationsFor,
    offsetOf,
    manifestsOf,
    isSame,
  ],
  offers: { deriveSpec, isSame, manifestsOf },
};
