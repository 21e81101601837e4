import { CodedError } from "../../errors.ts";
import { sleep, type Clock } from "../clock.ts";

export interface OutboxLimits {
  /** Items beyond these are dropped. */
  readonly maxPending: number;
  readonly attempts: number;
  /** The pause between attempts doubles from `baseMs` to `maxMs`. */
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface OutboxOptions<T> {
  readonly send: (item: T, signal: AbortSignal) => Promise<void>;
  /** Whether another attempt may succeed. */
  readonly isTransient: (error: unknown) => boolean;
  /** An item that was not sent. */
  readonly onDrop: (error: unknown, item: T | undefined) => void;
  readonly limits: OutboxLimits;
  readonly clock: Clock;
}

/** Sends items in the background, one after another, in bounded memory. Whoever puts one in neither waits nor learns how it went. */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  readonly #pending = new Map<string, T>();
  readonly #stop = new AbortController();
  #closed = false;
  #sending: Promise<void> | undefined;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  /** Puts an item in, made from the one that waits under the same key, where there is one. */
  put(key: string, make: (waiting: T | undefined) => T): void {
    if (this.#closed) return;
    const waiting = this.#pending.get(key);
    if (waiting === undefined && this.#pending.size >= this.#options.limits.maxPending) {
      this.#options.onDrop(
        new CodedError("KubeUnreachable", `${this.#pending.size} others wait to be sent already`),
        undefined,
      );
      return;
    }
    this.#pending.set(key, make(waiting));
    this.#sending ??= this.#sendAll();
  }

  /** Takes nothing more, and gives what is left some time. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const done = new AbortController();
    const sent = this.#sending?.then(() => done.abort());
    if (sent === undefined) return;
    await Promise.race([sent, sleep(this.#options.clock, graceMs, done.signal)]);
    this.#pending.clear();
    this.#stop.abort();
    await sent;
  }

  async #sendAll(): Promise<void> {
    // Not at once: equal items that come together become one.
    await Promise.resolve();
    for (const [key, item] of this.#pending) {
      this.#pending.delete(key);
      await this.#deliver(item);
    }
    this.#sending = undefined;
  }

  async #deliver(item: T): Promise<void> {
    const { send, isTransient, onDrop, limits, clock } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 1; ; attempt++) {
      try {
        await send(item, signal);
        return;
      } catch (error) {
        if (signal.aborted || attempt >= limits.attempts || !isTransient(error)) {
          onDrop(error, item);
          return;
        }
      }
      await sleep(clock, Math.min(limits.maxMs, limits.baseMs * 2 ** (attempt - 1)), signal);
    }
  }
}
