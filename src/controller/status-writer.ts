import { isDeepStrictEqual } from "node:util";
import { artifactRepositories } from "../../api/kinds.ts";
import { FIELD_MANAGER } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Identified, RawObject } from "../pipeline/object.ts";
import { withSummary } from "./summary.ts";

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
  readonly owner: Pick<Identified, "key" | "uid">;
  /** The object as it is known to be. */
  readonly known: RawObject;
  readonly after: ArtifactRepositoryStatus;
}

/** Somebody who edits an object again and again is waited for by the next reconcile. */
const attempts = 3;

/**
 * Writes the fields that differ and what sums them up, in one request. Returns the object as it is then; undefined where there was nothing to write.
 * The API server compares no uid where a status is written, so it is told the version: what was made meanwhile under the same
 * name keeps its own status.
 *
 * @throws NotFound where the object is gone, be there another of its name or not; other Kube… errors
 */
export async function writeStatus(
  { kube, owner, known, after }: StatusChange,
  signal: AbortSignal,
): Promise<RawObject | undefined> {
  let before = known;
  for (let attempt = 1; ; attempt++) {
    const status = statusPatch(before.status ?? {}, withSummary(after));
    if (status === undefined) return before === known ? undefined : before;
    const { resourceVersion } = before.metadata;
    try {
      return await kube.patch<RawObject>(
        artifactRepositories,
        owner.key,
        { ...(resourceVersion !== undefined && { metadata: { resourceVersion } }), status },
        { fieldManager: FIELD_MANAGER, subresource: "status" },
        signal,
      );
    } catch (error) {
      if (codeOf(error) !== "KubeConflict" || attempt === attempts) throw error;
      before = await readLive(kube, owner, signal);
    }
  }
}

/** @throws NotFound where the API server has no object with this uid */
async function readLive(
  kube: KubeClient,
  { key, uid }: StatusChange["owner"],
  signal: AbortSignal,
): Promise<RawObject> {
  const live = await kube.get<RawObject>(artifactRepositories, key, signal);
  if (live?.metadata.uid === uid) return live;
  throw new CodedError("NotFound", `ArtifactRepository ${key.namespace}/${key.name} was deleted meanwhile`);
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
