import type { OperationName } from "../../operation/operation.ts";
import type { Chooser } from "../../select/choice.ts";
import type { LayerCondition, ManifestCondition, PageModel, PickedSpec } from "./model.ts";
import type { PageScope } from "./page-scope.ts";

// All functions of this file run in the page, too: they use nothing from elsewhere.

/** What the page knows, and who decides what a selector means. */
export interface Deriving {
  readonly model: PageModel;
  readonly chooser: Chooser;
}

/** The spec that takes exactly the picked layers, or a sentence saying why there is none. */
export function deriveSpec(
  deriving: Deriving,
  picked: readonly number[],
  operation: OperationName | undefined,
): PickedSpec | string {
  const { model } = deriving;
  if (picked.length === 0) return "Pick a manifest or a layer.";
  const manifests = manifestsOf(model, picked);
  if (picked.length > 1 && (operation === "Copy" || operation === "Extract"))
    return `${operation} takes one layer. Pick one, or choose ExtractAll.`;
  const trial = findLayerTrial(deriving, picked, operation);
  const chosen = trial && findManifests(deriving, manifests, trial.conditions);
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

function layerFields(trial: LayerTrial): Pick<PickedSpec, "layerSelector"> {
  const layerSelector = selectorOf(trial);
  return Object.keys(layerSelector).length === 0 ? {} : { layerSelector };
}

function selectorOf({ conditions, offset, operation }: LayerTrial): NonNullable<PickedSpec["layerSelector"]> {
  return {
    ...conditionFields(conditions),
    ...(offset !== 0 && { offset }),
    ...(operation !== undefined && { operation }),
  };
}

/** How manifests are told from the others: by nothing, by conditions, or by a digest. */
interface ManifestChoice {
  readonly conditions: readonly ManifestCondition[];
  readonly isAll: boolean;
  readonly isPinned: boolean;
}

function findManifests(
  deriving: Deriving,
  manifests: readonly number[],
  filters: readonly LayerCondition[],
): ManifestChoice | undefined {
  const { model } = deriving;
  const candidates = candidatesUnder(deriving, filters);
  const isAll = manifests.length > 1;
  const pinned =
    isAll || !model.manifests[manifests[0]!]!.isPinnable ? undefined : { conditions: [], isAll, isPinned: true };
  if (model.isIncomplete) return pinned;
  if (isSame(model.usualManifests, manifests) && isSame(candidates, candidatesUnder(deriving, [])))
    return { conditions: [], isAll, isPinned: false };
  if (isAll && isSame(candidates, manifests)) return { conditions: [], isAll, isPinned: false };
  const shared = model.manifestConditions.filter(({ matches }) =>
    manifests.every((manifest) => isIn(matches, manifest)),
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
    (!isAttestation || isOpen) && conditions.every(({ matches }) => isIn(matches, at)) ? [at] : [],
  );
}

/** The manifests that are considered without an indexSelector. */
function candidatesUnder(deriving: Deriving, filters: readonly LayerCondition[]): readonly number[] {
  const { manifests } = deriving.model;
  const shown = manifests.flatMap(({ isAttestation }, at) => (isAttestation ? [] : [at]));
  return deriving.chooser.consideredOf(
    shown,
    (at) => manifests[at]!.pool.length > 0 || poolOf(deriving, at, filters).length > 0,
  );
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

/** What may be taken of one manifest. */
function poolOf(
  { model, chooser }: Deriving,
  manifest: number,
  conditions: readonly LayerCondition[],
): readonly number[] {
  const { pool, layers } = model.manifests[manifest]!;
  if (conditions.length === 0) return pool;
  const passing = layers.filter((layer) => conditions.every(({ matches }) => isIn(matches, layer)));
  const isConfig = (layer: number): boolean => model.layers[layer]!.isConfig;
  return chooser.filteredPool(
    passing.filter((layer) => !isConfig(layer)),
    passing.filter(isConfig),
    conditionFields(conditions),
  );
}

/** The layers that a layerSelector takes from these manifests; undefined where it is refused. */
function layersTaken(
  deriving: Deriving,
  manifests: readonly number[],
  trial: LayerTrial,
): readonly number[] | undefined {
  const offers = manifests.map((manifest) => {
    const pool = poolOf(deriving, manifest, trial.conditions);
    const isConfig = pool.length > 0 && deriving.model.layers[pool[0]!]!.isConfig;
    return { pool, isConfig, usual: deriving.model.manifests[manifest]!.operation };
  });
  const choice = deriving.chooser.chooseAmong(offers, selectorOf(trial));
  return choice.kind === "chosen" ? choice.layers : undefined;
}

/** The shortest layerSelector that takes exactly `picked`; undefined where there is none. */
function findLayerTrial(
  deriving: Deriving,
  picked: readonly number[],
  operation: OperationName | undefined,
): LayerTrial | undefined {
  const { model } = deriving;
  const manifests = manifestsOf(model, picked);
  const shared = model.layerConditions.filter(({ matches }) => picked.every((layer) => isIn(matches, layer)));
  const types = shared.filter(({ field }) => field === "mediaType");
  const filters = [
    [],
    ...shared.map((condition) => [condition]),
    ...types.flatMap((type) =>
      shared.filter(({ field }) => field === "annotations").map((condition) => [type, condition]),
    ),
  ];
  const operations = operationsFor(model, picked, operation);
  const trial = (conditions: readonly LayerCondition[], offset: number, operation: OperationName | undefined) => ({
    conditions,
    offset,
    operation,
  });
  // For several layers, to name ExtractAll is plainer than a glob that leads to it.
  const trials =
    picked.length > 1
      ? filters.flatMap((conditions) => operations.map((done) => trial(conditions, 0, done)))
      : operations.flatMap((done) =>
          filters
            .map((conditions) => trial(conditions, 0, done))
            .concat(
              [...filters.slice(1), []].map((conditions) =>
                trial(conditions, offsetOf(deriving, picked, conditions), done),
              ),
            ),
        );
  return trials.find((trial) => isSame(layersTaken(deriving, manifests, trial) ?? [], picked));
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

/** Where the picked layer stands in what a filter leaves; without a filter counted from the end, since 0 is not a choice there. */
function offsetOf(deriving: Deriving, picked: readonly number[], conditions: readonly LayerCondition[]): number {
  const pool = poolOf(deriving, deriving.model.layers[picked[0]!]!.manifest, conditions);
  const place = pool.indexOf(picked[0]!);
  return conditions.length === 0 && place === 0 ? -pool.length : place;
}

/** The manifests of these layers, ascending. */
export function manifestsOf(model: PageModel, layers: readonly number[]): number[] {
  return [...new Set(layers.map((layer) => model.layers[layer]!.manifest))].sort((left, right) => left - right);
}

/** Whether two lists hold the same numbers, each once. */
export function isSame(left: readonly number[], right: readonly number[]): boolean {
  const values = new Set(right);
  return left.length === right.length && left.every((value) => values.has(value));
}

/** Whether an ascending list has the number: by bisection, because such lists are long and asked often. */
function isIn(ascending: readonly number[], value: number): boolean {
  let [from, to] = [0, ascending.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return ascending[from] === value;
}

export const deriveScope: PageScope = {
  functions: [
    deriveSpec,
    indexFields,
    layerFields,
    selectorOf,
    findManifests,
    manifestsTaken,
    candidatesUnder,
    conditionFields,
    poolOf,
    layersTaken,
    findLayerTrial,
    operationsFor,
    offsetOf,
    manifestsOf,
    isSame,
    isIn,
  ],
  offers: { deriveSpec, isSame, manifestsOf },
};
