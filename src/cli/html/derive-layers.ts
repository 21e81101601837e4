import type { LayerCondition, PageModel } from "./model.ts";
import type { OperationName } from "../../operation/operation.ts";

// Every function of this file also runs in the page, which holds its source: it uses nothing but what `pageFunctions` lists.

/** A layerSelector under trial. */
export interface LayerTrial {
  readonly conditions: readonly LayerCondition[];
  readonly offset: number;
  readonly operation: OperationName | undefined;
}

/** What a filter leaves of one manifest: its layers, or its config where a type names that and no layer. */
export function poolOf(model: PageModel, manifest: number, conditions: readonly LayerCondition[]): number[] {
  const { pool, layers } = model.manifests[manifest]!;
  if (conditions.length === 0) return [...pool];
  const passing = layers.filter((layer) => conditions.every(({ matches }) => matches.includes(layer)));
  const blobs = passing.filter((layer) => !model.layers[layer]!.isConfig);
  return blobs.length > 0 || !conditions.some(({ field }) => field === "mediaType") ? blobs : passing;
}

/** The layers that a layerSelector takes from these manifests; undefined where it is refused. */
export function layersTaken(model: PageModel, manifests: readonly number[], { conditions, offset, operation }: LayerTrial): number[] | undefined {
  const giving = manifests.filter((manifest) => poolOf(model, manifest, conditions).length > 0);
  const pools = giving.map((manifest) => poolOf(model, manifest, conditions));
  const done = operation ?? usualOperation(model, giving, pools);
  if (pools.length === 0) return undefined;
  if (done === "ExtractAll" && (offset === 0 || operation === "ExtractAll")) return pools.flat();
  if (pools.length > 1 && done !== "ExtractAll") return undefined;
  return oneOfEach(pools, offset, conditions.length > 0 || offset !== 0);
}

/** What is done where no operation is named. */
export function usualOperation(model: PageModel, giving: readonly number[], pools: readonly (readonly number[])[]): OperationName {
  const usual = giving.map((manifest, at) => (model.layers[pools[at]![0]!]!.isConfig ? "Copy" : model.manifests[manifest]!.operation));
  return usual.every((name) => name === usual[0]) ? (usual[0] ?? "Extract") : "Extract";
}

export function oneOfEach(pools: readonly (readonly number[])[], offset: number, isChoice: boolean): number[] | undefined {
  if (!isChoice && pools.some(({ length }) => length > 1)) return undefined;
  const taken = pools.map((pool) => pool.at(offset));
  return taken.includes(undefined) ? undefined : (taken as number[]);
}

/** The shortest layerSelector that takes exactly `picked`; undefined where there is none. */
export function findLayerTrial(model: PageModel, picked: readonly number[], operation: OperationName | undefined): LayerTrial | undefined {
  const manifests = manifestsOf(model, picked);
  const shared = model.layerConditions.filter(({ matches }) => picked.every((layer) => matches.includes(layer)));
  const types = shared.filter(({ field }) => field === "mediaType");
  const filters = [[], ...shared.map((condition) => [condition]), ...types.flatMap((type) => shared.filter(({ field }) => field === "annotations").map((condition) => [type, condition]))];
  for (const done of operationsFor(model, picked, operation)) {
    const trials = [
      ...filters.map((conditions) => ({ conditions, offset: 0, operation: done })),
      ...(done === "ExtractAll" ? [] : [...filters.slice(1), []].map((conditions) => ({ conditions, offset: offsetOf(model, picked, conditions), operation: done }))),
    ];
    const found = trials.find((trial) => isSame(layersTaken(model, manifests, trial) ?? [], picked));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Which operations to try: the one that is asked for, else the usual one, else one that fits the layers. */
export function operationsFor(model: PageModel, picked: readonly number[], operation: OperationName | undefined): (OperationName | undefined)[] {
  if (operation !== undefined) return [operation];
  if (picked.length > 1) return [undefined, "ExtractAll"];
  const { manifest, isArchive, isConfig } = model.layers[picked[0]!]!;
  const fitting = isArchive && !isConfig ? "Extract" : "Copy";
  return model.manifests[manifest]!.isKnown || fitting === "Extract" ? [undefined, fitting] : [fitting];
}

/** Where the picked layer stands in what a filter leaves; without a filter counted from the end, since 0 is no choice there. */
export function offsetOf(model: PageModel, picked: readonly number[], conditions: readonly LayerCondition[]): number {
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
