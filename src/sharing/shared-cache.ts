import { LRUCache } from "lru-cache";
import type { AccessKey } from "./access-key.ts";

export interface SharedCacheOptions<V extends object> {
  readonly max: number;
  /** With `sizeOf`: most of all sizes together. */
  readonly maxSize?: number;
  readonly sizeOf?: (value: V) => number;
  readonly ttl?: number;
}

/** Answers that objects share: each is kept under the access it was given to, so that no other access can read or replace it. */
export class SharedCache<V extends object> {
  readonly #entries: LRUCache<string, V>;

  constructor({ max, maxSize, sizeOf, ttl }: SharedCacheOptions<V>) {
    this.#entries = new LRUCache({
      max,
      ...(ttl !== undefined && { ttl }),
      ...(maxSize !== undefined && { maxSize, sizeCalculation: (value: V) => sizeOf?.(value) ?? 1 }),
    });
  }

  get(access: AccessKey, name: string): V | undefined {
    return this.#entries.get(entryKey(access, name));
  }

  has(access: AccessKey, name: string): boolean {
    return this.#entries.has(entryKey(access, name));
  }

  /** @param size where it has changed since `sizeOf` was asked */
  set(access: AccessKey, name: string, value: V, size?: number): void {
    this.#entries.set(entryKey(access, name), value, size === undefined ? {} : { size });
  }

  delete(access: AccessKey, name: string): void {
    this.#entries.delete(entryKey(access, name));
  }

  /** Forgets the value, unless there is another one by now. */
  deleteOnly(access: AccessKey, name: string, value: V): void {
    if (this.#entries.peek(entryKey(access, name)) === value) this.delete(access, name);
  }
}

/** A key is of one length, so that no name can pass for another access's. */
export const entryKey = (access: AccessKey, name: string): string => `${access} ${name}`;
