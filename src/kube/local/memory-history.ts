import { CodedError } from "../../errors.ts";
import type { StoredObject } from "./memory-object.ts";

/** One write. Without `before` the object is new, without `after` it is gone. */
export interface Change {
  readonly version: number;
  readonly typeName: string;
  readonly before: StoredObject | undefined;
  readonly after: StoredObject | undefined;
}

/** The latest changes, for watches to read at their own pace: one that falls too far behind has to list anew. */
export class History {
  readonly #length: number;
  #changes: Change[] = [];
  /** Changes up to this version are forgotten. */
  #forgotten = 0;
  #epoch = 0;
  readonly #waiting = new Set<() => void>();

  constructor(length: number) {
    this.#length = length;
  }

  add(change: Change): void {
    this.#changes.push(change);
    // Trimmed rarely, so that adding stays cheap.
    if (this.#changes.length > 2 * this.#length) this.forget(this.#changes.at(-1 - this.#length)!.version);
    this.#wake();
  }

  forget(version: number): void {
    this.#changes = this.#changes.filter((change) => change.version > version);
    this.#forgotten = Math.max(this.#forgotten, version);
    this.#wake();
  }

  /** Ends every reader that is running. */
  end(): void {
    this.#epoch++;
    this.#wake();
  }

  /**
   * The changes after a version as they come, until `end` or the signal.
   * @throws KubeConflict where they are forgotten (410 Gone), Aborted
   */
  async *read(typeName: string, version: number, signal: AbortSignal): AsyncGenerator<Change, void, undefined> {
    const epoch = this.#epoch;
    let seen = version;
    while (epoch === this.#epoch) {
      if (signal.aborted) throw new CodedError("Aborted", "the watch was stopped");
      if (!(seen >= this.#forgotten))
        throw new CodedError("KubeConflict", `resource version ${seen} of ${typeName} is too old; list anew`);
      const next = this.#after(seen, typeName);
      if (next === undefined) {
        await this.#change(signal);
        continue;
      }
      seen = next.version;
      yield next;
    }
  }

  /** The first change after a version; the changes are in order of their versions. */
  #after(version: number, typeName: string): Change | undefined {
    let [low, high] = [0, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.version > version) high = middle;
      else low = middle + 1;
    }
    for (let i = low; i < this.#changes.length; i++) {
      if (this.#changes[i]!.typeName === typeName) return this.#changes[i];
    }
    return undefined;
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const stop = (): void => resolve();
    signal.addEventListener("abort", stop);
    await promise;
    signal.removeEventListener("abort", stop);
    this.#waiting.delete(resolve);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
