import type { OperationName } from "../../operation/operation.ts";
import { findLayerTrial, isSame, manifestsOf, poolOf, type LayerTrial } from "./derive-layers.ts";
import type { LayerCondition, ManifestCondition, PageModel, PickedSpec } from "./model.ts";

// Every function of this file also runs in the page, which holds its source: it uses nothing but what `pageFunctions` lists.

/** The spec that takes exactly the picked layers, or a sentence saying why there is none. */
export function deriveSpec(model: PageModel, picked: readonly number[], operation: OperationName | undefined): PickedSpec | string {
  if (picked.length === 0) return "Pick a manifest or a layer.";
  const manifests = manifestsOf(model, picked);
  if (picked.length > 1 && (operation === "Copy" || operation === "Extract")) return `${operation} takes one layer. Pick one, or choose ExtractAll.`;
  const trial = findLayerTrial(model, picked, operation);
  const chosen = trial && findManifests(model, manifests, trial.conditions);
  if (trial === undefined || chosen === undefined) {
    return `No single selector takes exactly these ${trial === undefined ? "layers" : "manifests"}: what they have in common is shared by others, too. Pick more, or fewer.`;
  }
  const ref = chosen.isPinned ? { digest: model.manifests[manifests[0]!]!.digest } : model.ref;
  return { ref, ...indexFields(chosen), ...layerFields(trial) };
}

export function indexFields({ conditions, isAll }: ManifestChoice): Pick<PickedSpec, "indexSelector"> {
  return conditions.length === 0 && !isAll ? {} : { indexSelector: { ...conditionFields(conditions), ...(isAll && { match: "All" as const }) } };
}

export function layerFields({ conditions, offset, operation }: LayerTrial): Pick<PickedSpec, "layerSelector"> {
  const layerSelector = { ...conditionFields(conditions), ...(offset !== 0 && { offset }), ...(operation !== undefined && { operation }) };
  return Object.keys(layerSelector).length === 0 ? {} : { layerSelector };
}

/** How manifests are told from the others: by nothing, by conditions, or by a digest. */
export interface ManifestChoice {
  readonly conditions: readonly ManifestCondition[];
  readonly isAll: boolean;
  readonly isPinned: boolean;
}

export function findManifests(model: PageModel, manifests: readonly number[], filters: readonly LayerCondition[]): ManifestChoice | undefined {
  const candidates = candidatesUnder(model, filters);
  const isAll = manifests.length > 1;
  const pinned = isAll || !model.manifests[manifests[0]!]!.isPinnable ? undefined : { conditions: [], isAll, isPinned: true };
  if (model.isIncomplete) return pinned;
  if (isSame(model.usualManifests, manifests) && isSame(candidates, candidatesUnder(model, []))) return { conditions: [], isAll, isPinned: false };
  if (isAll && isSame(candidates, manifests)) return { conditions: [], isAll, isPinned: false };
  const shared = model.manifestConditions.filter(({ matches }) => manifests.every((manifest) => matches.includes(manifest)));
  const pairs = shared.flatMap((first, at) => shared.slice(at + 1).flatMap((second) => (first.field === second.field && first.key === second.key ? [] : [[first, second]])));
  const conditions = [...shared.map((condition) => [condition]), ...pairs].find((trial) => isSame(manifestsTaken(model, trial), manifests));
  return conditions === undefined ? pinned : { conditions, isAll, isPinned: false };
}

/** Manifests that meet every condition; attestations only where one of them names such. */
export function manifestsTaken(model: PageModel, conditions: readonly ManifestCondition[]): number[] {
  const isOpen = conditions.some(({ namesAttestations }) => namesAttestations);
  return model.manifests.flatMap(({ isAttestation }, at) => ((!isAttestation || isOpen) && conditions.every(({ matches }) => matches.includes(at)) ? [at] : []));
}

/** The manifests that are considered without an indexSelector: those with something to take. */
export function candidatesUnder(model: PageModel, filters: readonly LayerCondition[]): number[] {
  const shown = model.manifests.flatMap(({ isAttestation }, at) => (isAttestation ? [] : [at]));
  const full = shown.filter((at) => model.manifests[at]!.pool.length > 0 || poolOf(model, at, filters).length > 0);
  return full.length > 0 ? full : shown;
}

/** Conditions as the fields of a selector. */
export function conditionFields(conditions: readonly (ManifestCondition | LayerCondition)[]): { [field: string]: string | Record<string, string> } {
  const fields = conditions.flatMap(({ field, key, value }) => (key === undefined ? [[field, value] as const] : []));
  const annotations = conditions.flatMap(({ key, value }) => (key === undefined ? [] : [[key, value] as const]));
  return { ...Object.fromEntries(fields), ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }) };
}
