import { CodedError } from "../../errors.ts";
import { sleep, systemClock, type Clock } from "../clock.ts";
import { TimerHeap } from "./timer-heap.ts";

/** What happens in a queue, for metrics. Times are ms. */
export type QueueEvent =
  | { readonly type: "added" }
  | { readonly type: "retried" }
  | { readonly type: "started"; readonly waitedMs: number }
  | { readonly type: "finished"; readonly workedMs: number };

/** How a queue stands. */
export interface QueueState {
  /** Keys that wait for a worker. */
  readonly depth: number;
  /** Keys that are to be added later. */
  readonly scheduled: number;
  readonly running: number;
  /** Sum of the times that the running ones have taken so far. */
  readonly unfinishedMs: number;
  readonly longestRunningMs: number;
}

export interface QueueOptions {
  /** The work on one key; it is never running twice for the same one. `addedAt` is when it was asked for, by the queue's clock. */
  readonly process: (key: string, signal: AbortSignal, addedAt: number) => Promise<void>;
  readonly concurrent: number;
  /** The pause doubles from `baseMs` to `maxMs` with each retry. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** What `process` has thrown; the key is then tried again with back-off. */
  readonly onError: (key: string, error: unknown) => void;
  readonly onEvent?: (event: QueueEvent) => void;
  readonly clock?: Clock;
}

interface Run {
  readonly addedAt: number;
  readonly startedAt: number;
  readonly abort: AbortController;
  done: Promise<void>;
}

/** Work that does not stop when it is told to is left behind after this time. */
const afterAbortMs = 5000;

/** A queue of keys, first come first served, with any number of equal keys being one. It does nothing before `start`. */
export class Queue {
  readonly #options: QueueOptions;
  readonly #clock: Clock;
  readonly #scheduled: TimerHeap;
  /** When they were added; a Map is in order of insertion. */
  readonly #waiting = new Map<string, number>();
  readonly #running = new Map<string, Run>();
  /** Added while they were running: they run once more. */
  readonly #dirty = new Set<string>();
  readonly #retries = new Map<string, number>();
  #state: "new" | "started" | "stopped" = "new";
  #waking = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#scheduled = new TimerHeap(this.#clock, (key) => this.add(key));
  }

  start(): void {
    if (this.#state === "new") this.#state = "started";
    this.#wake();
  }

  /** To be processed as soon as a worker is free. */
  add(key: string): void {
    if (this.#state === "stopped" || this.#waiting.has(key) || this.#dirty.has(key)) return;
    this.#options.onEvent?.({ type: "added" });
    if (this.#running.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#waiting.set(key, this.#clock.now());
    this.#wake();
  }

  /** To be processed after a time, unless it is processed earlier for another reason. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#state === "stopped" || this.#waiting.has(key)) return;
    this.#scheduled.set(key, milliseconds);
  }

  /** Like `addAfter`, after a pause that grows with each call until `forget`; it is never shorter than `minMs`, and grows up to `mostMs`. */
  retry(key: string, minMs = 0, mostMs = this.#options.backoff.maxMs): void {
    if (this.#state === "stopped") return;
    const { baseMs, maxMs } = this.#options.backoff;
    const retries = this.retries(key);
    this.#retries.set(key, retries + 1);
    this.#options.onEvent?.({ type: "retried" });
    this.addAfter(key, Math.max(minMs, Math.min(mostMs, maxMs, baseMs * 2 ** Math.min(retries, 40))));
  }

  /** Makes the next retry the first one. */
  forget(key: string): void {
    this.#retries.delete(key);
  }

  /** How often the key has been retried since it was forgotten. */
  retries(key: string): number {
    return this.#retries.get(key) ?? 0;
  }

  state(): QueueState {
    const now = this.#clock.now();
    const times = [...this.#running.values()].map(({ startedAt }) => now - startedAt);
    return {
      depth: this.#waiting.size,
      scheduled: this.#scheduled.size,
      running: times.length,
      unfinishedMs: times.reduce((sum, time) => sum + time, 0),
      longestRunningMs: Math.max(0, ...times),
    };
  }

  /**
   * Starts nothing any more, lets what is running finish for `graceMs`, then aborts it. Returns the keys of what has not
   * stopped even then.
   */
  async stop(graceMs: number): Promise<readonly string[]> {
    this.#state = "stopped";
    this.#waiting.clear();
    this.#dirty.clear();
    this.#scheduled.clear();
    await this.#finished(graceMs);
    for (const { abort } of this.#running.values())
      abort.abort(new CodedError("Aborted", "the controller is stopping"));
    await this.#finished(afterAbortMs);
    return [...this.#running.keys()];
  }

  async #finished(milliseconds: number): Promise<void> {
    const waiting = new AbortController();
    const all = Promise.all([...this.#running.values()].map(({ done }) => done)).then(() => waiting.abort());
    await Promise.race([all, sleep(this.#clock, milliseconds, waiting.signal)]);
  }

  /** Once for all that is added in one go, so that what is added twice runs once. */
  #wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    queueMicrotask(() => {
      this.#waking = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#state !== "started") return;
    for (const [key, addedAt] of this.#waiting) {
      if (this.#running.size >= this.#options.concurrent) return;
      this.#waiting.delete(key);
      // This run decides when the next one is due.
      this.#scheduled.delete(key);
      const startedAt = this.#clock.now();
      this.#options.onEvent?.({ type: "started", waitedMs: startedAt - addedAt });
      const run: Run = { addedAt, startedAt, abort: new AbortController(), done: Promise.resolve() };
      // Known as running before its first step, which may add the key again.
      this.#running.set(key, run);
      run.done = this.#run(key, run);
    }
  }

  async #run(key: string, { addedAt, startedAt, abort }: Run): Promise<void> {
    try {
      await this.#options.process(key, abort.signal, addedAt);
    } catch (error) {
      this.#options.onError(key, error);
      this.retry(key);
    }
    this.#running.delete(key);
    this.#options.onEvent?.({ type: "finished", workedMs: this.#clock.now() - startedAt });
    if (this.#dirty.delete(key)) this.#waiting.set(key, this.#clock.now());
    this.#wake();
  }
}
