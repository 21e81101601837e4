import { codeOf, messageOf } from "../errors.ts";
import { publishWanted, type RawObject } from "../pipeline/object.ts";
import { queueKey } from "./dependents.ts";
import { isLost, lostStatus, tellLoss } from "./loss.ts";
import type { ReconcileMemory } from "./memory.ts";
import type { Deps } from "./ports.ts";

/** How many objects are looked at together. */
const atOnce = 8;

/**
 * Looks at the start for files that are gone, and says so: the turn of an object may come only after many others were built.
 * Nothing is read but the record of each file and its size. Where an object was pushed to, it is brought back from there in
 * its turn, or told then.
 */
export class Losses {
  readonly #deps: Deps;
  readonly #memory: ReconcileMemory;
  readonly #telling = new Map<string, Promise<void>>();
  /** Those whose reconciles look for themselves; undefined once everybody was looked at. */
  #begun: Set<string> | undefined = new Set();

  constructor(deps: Deps, memory: ReconcileMemory) {
    this.#deps = deps;
    this.#memory = memory;
  }

  /** To be called before a reconcile. Resolves when nothing else is being written about the object. */
  async begin(key: string): Promise<void> {
    this.#begun?.add(key);
    await this.#telling.get(key);
  }

  /** Never throws: what could not be told here is told by the reconcile. */
  async tell(objects: Iterable<RawObject>, signal: AbortSignal): Promise<void> {
    const left = objects[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = left.next(); next.done !== true && !signal.aborted; next = left.next())
        await this.#look(next.value, signal);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    this.#begun = undefined;
  }

  async #look(object: RawObject, signal: AbortSignal): Promise<void> {
    const { name, namespace, deletionTimestamp } = object.metadata;
    const key = queueKey(object.metadata);
    if (deletionTimestamp !== undefined || this.#begun?.has(key) === true || isPushed(object)) return;
    try {
      if (!(await isLost({ key: { name, namespace } }, object.status, this.#deps.store))) return;
      if (this.#begun?.has(key) === true) return;
      const told = this.#tell(object, signal);
      this.#telling.set(
        key,
        told.catch(() => undefined),
      );
      await told;
    } catch (error) {
      this.#deps.log("debug", messageOf(error), { code: codeOf(error), name, namespace });
    } finally {
      this.#telling.delete(key);
    }
  }

  async #tell(object: RawObject, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid = "", generation = 0, resourceVersion } = object.metadata;
    const basis = { before: object.status ?? {}, generation, now: this.#deps.now() };
    const isSuspended = (object.spec as { readonly suspend?: unknown } | undefined)?.suspend === true;
    const owner = { key: { name, namespace }, uid };
    const loss = { known: object, after: lostStatus(basis, isSuspended), isSuspended };
    const written = await tellLoss(owner, loss, this.#deps, signal);
    this.#memory.statuses.remember(uid, resourceVersion, written);
  }
}

function isPushed({ spec }: RawObject): boolean {
  return publishWanted((spec ?? {}) as Parameters<typeof publishWanted>[0]).oci !== undefined;
}
