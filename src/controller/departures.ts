import { artifactRepositories } from "../../api/kinds.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import type { Caches } from "./caches.ts";
import { queueKey } from "./dependents.ts";
import { takeBack, type Departed } from "./finalize.ts";
import type { Deps } from "./ports.ts";
import { isServedHere } from "./stored.ts";
import { storeOwner, type RawObject } from "../pipeline/object.ts";

/**
 * Objects that are gone, or that another controller has got by their labels, until what was made for them is gone as well. That the
 * cache does not have an object proves nothing: the API server is asked before anything is removed. By uid, so that an
 * object of the same name keeps its own.
 */
export class Departures {
  readonly #departed = new Map<string, Map<string, Departed>>();
  readonly #caches: Caches;

  constructor(caches: Caches) {
    this.#caches = caches;
  }

  add(object: Departed): void {
    const key = queueKey(object.metadata);
    const known = this.#departed.get(key) ?? new Map<string, Departed>();
    this.#departed.set(key, known.set(object.metadata.uid ?? "", object));
  }

  has(key: ObjectKey): boolean {
    return this.#departed.has(queueKey(key));
  }

  /** Removes what can be removed under this name; whether nothing is left to do. Never throws but for an abort. */
  async settle(key: ObjectKey, deps: Deps, signal: AbortSignal): Promise<boolean> {
    const departed = this.#departed.get(queueKey(key));
    if (departed === undefined) return true;
    for (const [uid, object] of departed) {
      try {
        if (await this.#settleOne(key, object, deps, signal)) departed.delete(uid);
      } catch (error) {
        if (signal.aborted) throw error;
        deps.log("error", `what is left of a deleted object could not be removed: ${messageOf(error)}`, {
          code: codeOf(error),
          ...key,
        });
      }
    }
    if (departed.size > 0) return false;
    this.#departed.delete(queueKey(key));
    return true;
  }

  async #settleOne(key: ObjectKey, object: Departed, deps: Deps, signal: AbortSignal): Promise<boolean> {
    const { uid } = object.metadata;
    const present = this.#caches.objects.get(key);
    // It is back.
    if (present !== undefined && (uid === undefined || uid === present.metadata.uid)) return true;
    const live = await readLive(key, deps, signal);
    if (live === "unknown") return true;
    if (live === undefined || (uid !== undefined && live.metadata.uid !== uid)) {
      await takeBack(object, deps, signal);
      return true;
    }
    if (!this.#caches.isSelective || this.#isServedHere(key, deps)) return false;
    await deps.store.remove(storeOwner({ key }), uid);
    return true;
  }

  /** Whether consumers are still sent here, or that cannot be told. */
  #isServedHere(key: ObjectKey, { store }: Deps): boolean {
    const { externalArtifacts } = this.#caches;
    const artifact = externalArtifacts.get(key);
    return !externalArtifacts.available || (artifact !== undefined && isServedHere(artifact.status, store));
  }
}

/** `unknown`: there is no such kind at the moment, which tells nothing of the object. What is stored stays until a list succeeds. */
async function readLive(
  key: ObjectKey,
  { kube }: Deps,
  signal: AbortSignal,
): Promise<RawObject | "unknown" | undefined> {
  try {
    return await kube.get<RawObject>(artifactRepositories, key, signal);
  } catch (error) {
    if (error instanceof CodedError && error.code === "CrdMissing") return "unknown";
    throw error;
  }
}
