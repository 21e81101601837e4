import type { Kind, Kube, KubeObject } from "../e2e/kube.ts";
import { condition } from "../e2e/kube.ts";

interface Waiter {
  readonly pending: Set<string>;
  readonly test: (object: KubeObject) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Follows the objects of a kind by a watch: polling would take CPU from what is measured. */
export class Watcher {
  readonly #objects = new Map<string, KubeObject>();
  readonly #waiters = new Set<Waiter>();
  readonly #stop = new AbortController();
  #failure: Error | undefined;

  constructor(kube: Kube, kind: Kind, namespace: string) {
    void this.#follow(kube, kind, namespace);
  }

  /** Resolves when `test` holds for every one of `names`; rejects after `timeoutMs`, or when one stalls. */
  async until(names: readonly string[], test: (object: KubeObject) => boolean, timeoutMs: number): Promise<void> {
    if (this.#failure) throw this.#failure;
    const pending = new Set(names.filter((name) => !holds(this.#objects.get(name), test)));
    if (pending.size === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { pending, test, resolve, reject };
    const timer = setTimeout(
      () =>
        reject(
          new Error(
            `waited ${timeoutMs} ms in vain for ${pending.size} of ${names.length} objects; one of them: ${this.#describeOne(pending)}`,
          ),
        ),
      timeoutMs,
    );
    this.#waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  close(): void {
    this.#stop.abort();
  }

  async #follow(kube: Kube, kind: Kind, namespace: string): Promise<void> {
    try {
      // The API server ends the watch of who reads too slowly; a new one begins with everything as it is.
      for (;;) for await (const object of kube.watch(kind, namespace, this.#stop.signal)) this.#take(object);
    } catch (error) {
      this.#failure = error as Error;
      for (const { reject } of this.#waiters) reject(this.#failure);
    }
  }

  #take(object: KubeObject & { deleted?: boolean }): void {
    const { name } = object.metadata;
    if (object.deleted) this.#objects.delete(name);
    else this.#objects.set(name, object);
    for (const { pending, test, resolve, reject } of this.#waiters) {
      if (!pending.has(name)) continue;
      const stalled = condition(object, "Stalled");
      if (stalled?.status === "True") reject(new Error(`${object.kind} ${name} has stalled: ${stalled.message}`));
      if (test(object)) pending.delete(name);
      if (pending.size === 0) resolve();
    }
  }

  #describeOne(pending: ReadonlySet<string>): string {
    const [name = ""] = pending;
    return JSON.stringify(this.#objects.get(name) ?? `${name}, which does not exist`);
  }
}

function holds(object: KubeObject | undefined, test: (object: KubeObject) => boolean): boolean {
  return object !== undefined && test(object);
}
