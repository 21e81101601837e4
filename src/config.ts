import type { Limits } from "./oci/limits.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** Generous for real artifacts, small enough that no single artifact can exhaust the machine. */
export const defaultLimits: Limits = Object.freeze({
  maxManifestBytes: 4 * MiB,
  maxManifests: 1000,
  maxIndexDepth: 8,
  maxLayerBytes: 8 * GiB,
  maxExpandedBytes: 16 * GiB,
  maxEntries: 200_000,
  maxNameBytes: 4096,
  maxRatio: 200,
  ratioFloorBytes: 64 * MiB,
  maxTags: 200_000,
});
