import { CodedError } from "../../errors.ts";
import { FairQueue } from "./fair-queue.ts";
import { Places } from "./places.ts";

/** Lets so much of one kind of work run at once, shared fairly between groups; see `Places`. */
export class Permits {
  readonly #places: Places;
  readonly #waiting = new FairQueue<() => void>();
  #count = 0;

  constructor(most: number) {
    this.#places = new Places(most);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs `work` once there is a permit for the group. @throws Aborted where the signal ends the wait, what the work throws */
  async hold<T>(group: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#take(group, signal);
    try {
      return await work();
    } finally {
      this.#places.give(group);
      this.#serve();
    }
  }

  async #take(group: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const key = String(++this.#count);
    const leave = (): void => {
      this.#waiting.delete(group, key);
      const reason: unknown = signal.reason;
      reject(reason instanceof CodedError ? reason : new CodedError("Aborted", "stopped while waiting for its turn"));
    };
    if (signal.aborted) return (leave(), await promise);
    this.#waiting.set(group, key, resolve, false);
    signal.addEventListener("abort", leave, { once: true });
    this.#serve();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #serve(): void {
    const may = (group: string): boolean => this.#places.mayTake(group);
    for (let next = this.#waiting.next(may); next !== undefined; next = this.#waiting.next(may)) {
      this.#places.take(next.group);
      next.value();
    }
  }
}
