import { CodedError } from "../../errors.ts";
import { sleep, systemClock, type Clock } from "../clock.ts";
import { TimerHeap } from "./timer-heap.ts";
import { FairQueue } from "./fair-queue.ts";
import { Places } from "./places.ts";

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
  /** What has a worker. */
  readonly running: number;
  /** What goes on without one. */
  readonly aside: number;
  /** Sum of the times that the running ones have taken so far. */
  readonly unfinishedMs: number;
  readonly longestRunningMs: number;
}

/** A turn of a key. */
export interface Turn {
  /** When it was asked for last, by the queue's clock. */
  readonly addedAt: number;
  readonly signal: AbortSignal;
  /** Gives the worker back: what is left to do is mostly waiting, or is counted elsewhere. */
  readonly stepAside: () => void;
}

export interface QueueOptions {
  /** The work on one key; it is never running twice for the same one. */
  readonly process: (key: string, turn: Turn) => Promise<void>;
  /** How many workers there are. */
  readonly concurrent: number;
  /** Work that takes longer gives its worker back and goes on without. */
  readonly asideAfterMs?: number;
  /** How many keys may be under way, with a worker or without. */
  readonly most?: number;
  /** Keys of the same group share their turns; without it, all are in one. */
  readonly groupOf?: (key: string) => string;
  /** The pause doubles from `baseMs` to `maxMs` with each retry. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** What `process` has thrown; the key is then tried again with back-off. */
  readonly onError: (key: string, error: unknown) => void;
  readonly onEvent?: (event: QueueEvent) => void;
  readonly clock?: Clock;
}

interface Waiting {
  readonly firstAt: number;
  readonly addedAt: number;
}

interface Run {
  readonly group: string;
  readonly addedAt: number;
  readonly startedAt: number;
  readonly abort: AbortController;
  hasWorker: boolean;
  isInterrupted: boolean;
  done: Promise<void>;
}

/** Work that does not stop when it is told to is left behind after this time. */
const afterAbortMs = 5000;

/**
 * A queue of keys, with any number of equal keys being one. Groups take turns; within one, it is first come, first served. It does
 * nothing before `start`.
 */
export class Queue {
  readonly #options: QueueOptions;
  readonly #clock: Clock;
  readonly #scheduled: TimerHeap;
  readonly #groupOf: (key: string) => string;
  readonly #waiting = new FairQueue<Waiting>();
  readonly #places: Places;
  readonly #running = new Map<string, Run>();
  #workers = 0;
  /** Added while they were running: they run once more. Whether that is urgent. */
  readonly #dirty = new Map<string, boolean>();
  readonly #retries = new Map<string, number>();
  #state: "new" | "started" | "stopped" = "new";
  #waking = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#scheduled = new TimerHeap(this.#clock, (key) => this.add(key));
    this.#groupOf = options.groupOf ?? (() => "");
    this.#places = new Places(options.most ?? Infinity);
  }

  start(): void {
    if (this.#state === "new") this.#state = "started";
    this.#wake();
  }

  /** To be processed as soon as a worker is free. @param urgent before what is routine in its group */
  add(key: string, urgent = false): void {
    if (this.#state === "stopped") return;
    const waiting = this.#waiting.get(this.#groupOf(key), key);
    if (waiting === undefined && !this.#dirty.has(key)) this.#options.onEvent?.({ type: "added" });
    if (this.#running.has(key)) {
      this.#dirty.set(key, urgent || this.#dirty.get(key) === true);
      return;
    }
    this.#enqueue(key, urgent, waiting?.value.firstAt);
    this.#wake();
  }

  #enqueue(key: string, urgent: boolean, firstAt?: number): void {
    const addedAt = this.#clock.now();
    this.#waiting.set(this.#groupOf(key), key, { firstAt: firstAt ?? addedAt, addedAt }, urgent);
  }

  /** Aborts the work on a key that is running; it runs again, ahead of others, once it has stopped. */
  interrupt(key: string, reason: CodedError): void {
    const run = this.#running.get(key);
    if (run === undefined) return;
    this.add(key, true);
    run.isInterrupted = true;
    run.abort.abort(reason);
  }

  /** To be processed after a time, unless it is processed earlier for another reason. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#state === "stopped" || this.#waiting.get(this.#groupOf(key), key) !== undefined) return;
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
      running: this.#workers,
      aside: times.length - this.#workers,
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
    const may = (group: string): boolean => this.#places.mayTake(group);
    while (this.#state === "started" && this.#workers < this.#options.concurrent) {
      const next = this.#waiting.next(may);
      if (next === undefined) return;
      this.#start(next);
    }
  }

  #start({ group, key, value: { firstAt, addedAt } }: { group: string; key: string; value: Waiting }): void {
    // This run decides when the next one is due.
    this.#scheduled.delete(key);
    const startedAt = this.#clock.now();
    this.#options.onEvent?.({ type: "started", waitedMs: startedAt - firstAt });
    const abort = new AbortController();
    const run: Run = {
      group,
      addedAt,
      startedAt,
      abort,
      hasWorker: true,
      isInterrupted: false,
      done: Promise.resolve(),
    };
    this.#workers++;
    this.#places.take(group);
    // Known as running before its first step, which may add the key again.
    this.#running.set(key, run);
    run.done = this.#run(key, run);
  }

  async #run(key: string, run: Run): Promise<void> {
    const { addedAt, startedAt, abort, group } = run;
    const stepAside = (): void => this.#stepAside(run);
    const { asideAfterMs } = this.#options;
    const disarm = asideAfterMs === undefined ? () => {} : this.#clock.after(asideAfterMs, stepAside);
    try {
      await this.#options.process(key, { addedAt, signal: abort.signal, stepAside });
    } catch (error) {
      if (!run.isInterrupted) {
        this.#options.onError(key, error);
        this.retry(key);
      }
    }
    disarm();
    this.#running.delete(key);
    this.#places.give(group);
    this.#stepAside(run);
    this.#options.onEvent?.({ type: "finished", workedMs: this.#clock.now() - startedAt });
    const again = this.#dirty.get(key);
    if (this.#dirty.delete(key)) this.#enqueue(key, again === true);
    this.#wake();
  }

  #stepAside(run: Run): void {
    if (!run.hasWorker) return;
    run.hasWorker = false;
    this.#workers--;
    this.#wake();
  }
}
