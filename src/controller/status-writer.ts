import { isDeepStrictEqual } from "node:util";
import { artifactRepositories } from "../../api/kinds.ts";
import { FIELD_MANAGER } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Identified, RawObject } from "../pipeline/object.ts";

/**
 * Remembers what was written last for each object, because the cache may still show what was there before: a status made
 * from an old one would undo, or miss, what came between.
 */
export class StatusMemory {
  readonly #written = new Map<string, { readonly seen: string | undefined; readonly object: RawObject }>();

  /** The object as it is known to be by now. */
  latest(uid: string, cached: RawObject): RawObject {
    const written = this.#written.get(uid);
    if (written !== undefined && written.seen === cached.metadata.resourceVersion) return written.object;
    this.#written.delete(uid);
    return cached;
  }

  remember(uid: string, seen: string | undefined, object: RawObject): void {
    this.#written.set(uid, { seen, object });
  }

  /** The cache shows this now: what it has itself need not be remembered. */
  caughtUp({ metadata: { uid = "", resourceVersion } }: RawObject): void {
    if (this.#written.get(uid)?.object.metadata.resourceVersion === resourceVersion) this.#written.delete(uid);
  }

  forget(uid: string): void {
    this.#written.delete(uid);
  }

  get size(): number {
    return this.#written.size;
  }
}

export interface StatusChange {
  readonly kube: KubeClient;
  readonly owner: Identified;
  readonly before: ArtifactRepositoryStatus;
  readonly after: ArtifactRepositoryStatus;
}

/** Writes the fields that differ, in one request. Returns the object as it is then; undefined where there was nothing to write. */
export async function writeStatus(
  { kube, owner, before, after }: StatusChange,
  signal: AbortSignal,
): Promise<RawObject | undefined> {
  const patch = statusPatch(before, after);
  if (patch === undefined) return undefined;
  return await kube.patch<RawObject>(
    artifactRepositories,
    owner.key,
    { status: patch },
    { fieldManager: FIELD_MANAGER, subresource: "status" },
    signal,
  );
}

/** A JSON merge patch; maps are replaced as a whole, so keys that are gone are named. */
function statusPatch(
  before: ArtifactRepositoryStatus,
  after: ArtifactRepositoryStatus,
): Record<string, unknown> | undefined {
  const patch = mergePatch(before, after);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function mergePatch(before: object, after: object): Record<string, unknown> {
  const [old, fresh] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    if (isDeepStrictEqual(old[key], fresh[key])) continue;
    patch[key] = isPlain(old[key]) && isPlain(fresh[key]) ? mergePatch(old[key], fresh[key]) : (fresh[key] ?? null);
  }
  return patch;
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
