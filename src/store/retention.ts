import { artifactFile, isArtifactFile } from "./artifact-path.ts";
import type { Digest } from "../oci/types.ts";
import type { OwnerState, SupersededRecord } from "./record.ts";

export interface RetentionPolicy {
  /** How long a file stays after another has taken its place. */
  readonly ttlMs: number;
  /** How many files are kept for an owner, the current one included. */
  readonly records: number;
  /** What stays beyond both. */
  readonly keep?: readonly Digest[];
}

/** A file in an owner's directory. */
export interface StoredFile {
  readonly name: string;
  /** When it got its name, in ms since 1970. */
  readonly sinceMs: number;
}

export interface Retained {
  /** The same object where nothing has changed. */
  readonly state: OwnerState;
  /** Names of files to delete, once the state is written. */
  readonly expired: readonly string[];
}

/**
 * Which superseded artifacts stay. Both limits hold: older than the TTL goes, and beyond the number of records the oldest
 * goes. The current artifact always stays, and so do those that are to be kept. A time in the future, left by a clock that was
 * wrong, counts as now.
 */
export function retain(
  state: OwnerState,
  files: readonly StoredFile[],
  policy: RetentionPolicy,
  nowMs: number,
): Retained {
  const others = state.superseded.filter((record) => record.digest !== state.current.digest);
  const young = new Set(
    others
      .filter((record) => nowMs - Date.parse(record.supersededAt) < policy.ttlMs)
      .slice(0, Math.max(0, policy.records - 1)),
  );
  const superseded = others
    .filter((record) => policy.keep?.includes(record.digest) === true || young.has(record))
    .map((record) => notInFuture(record, nowMs));
  const known = new Set([state.current, ...superseded].map((record) => artifactFile(record.digest)));
  const dropped = new Set(state.superseded.map((record) => artifactFile(record.digest)));
  const expired = files.filter(
    ({ name, sinceMs }) =>
      isArtifactFile(name) && !known.has(name) && (dropped.has(name) || nowMs - sinceMs >= policy.ttlMs),
  );
  const same =
    superseded.length === state.superseded.length && superseded.every((record, at) => record === state.superseded[at]);
  return { state: same ? state : { ...state, superseded }, expired: expired.map(({ name }) => name) };
}

function notInFuture(record: SupersededRecord, nowMs: number): SupersededRecord {
  return Date.parse(record.supersededAt) > nowMs ? { ...record, supersededAt: new Date(nowMs).toISOString() } : record;
}
