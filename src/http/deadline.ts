import { CodedError } from "../errors.ts";
import { unlessAborted } from "./abort.ts";

/** How long something may take, and what is to be said where it takes longer. */
export interface TimeLimit {
  readonly ms: number;
  readonly late: () => CodedError;
}

/** A signal that is aborted with `outer` and, until it is lifted, when the time is over. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #late = new AbortController();
  readonly #outer: AbortSignal;
  readonly #until: number;
  readonly #timer: NodeJS.Timeout;

  constructor({ ms, late }: TimeLimit, outer: AbortSignal) {
    this.#outer = outer;
    this.#until = performance.now() + ms;
    this.#timer = setTimeout(() => this.#late.abort(late()), ms);
    this.signal = AbortSignal.any([outer, this.#late.signal]);
  }

  /** Milliseconds that are left. */
  get leftMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** What is to be said, where the time limit is why the work has ended. */
  get lateness(): CodedError | undefined {
    return this.#late.signal.aborted && !this.#outer.aborted ? (this.#late.signal.reason as CodedError) : undefined;
  }

  /** From now on, time does not matter any more. */
  lift(): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Runs work that has to end in time, and waits for it no longer: it must leave nothing behind.
 *
 * @throws what `late` says, what the work throws; Aborted
 */
export async function inTime<T>(
  limit: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return await stoppedInTime(limit, async (joined) => await unlessAborted(work(joined), joined, abortedError), signal);
}

/** Like `inTime`, but work that is told to stop is waited for: it may have files open. */
export async function stoppedInTime<T>(
  limit: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const deadline = new Deadline(limit, signal);
  try {
    return await work(deadline.signal);
  } catch (error) {
    throw deadline.lateness ?? error;
  } finally {
    deadline.lift();
  }
}

function abortedError({ reason }: AbortSignal): CodedError {
  return reason instanceof CodedError ? reason : new CodedError("Aborted", "given up", { cause: reason });
}

/** `90 s`, for messages. */
export function seconds(ms: number): string {
  return `${Math.round(ms) / 1000} s`;
}
