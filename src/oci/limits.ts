/**
 * The limits that protect Strata from what a registry may send; their defaults stand in `config.ts`.
 * Sizes are bytes.
 */
export interface Limits {
  readonly maxManifestBytes: number;
  readonly maxManifests: number;
  /** All manifests and indexes of one walk together have at most this size: what is made of them stays in memory. */
  readonly maxWalkBytes: number;
  readonly maxIndexDepth: number;
  readonly maxLayerBytes: number;
  readonly maxExpandedBytes: number;
  readonly maxEntries: number;
  readonly maxNameBytes: number;
  /** Expanded / compressed, judged only after `ratioFloorBytes` were expanded. */
  readonly maxRatio: number;
  readonly ratioFloorBytes: number;
  readonly maxTags: number;
}
