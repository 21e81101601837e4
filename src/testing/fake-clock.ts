import type { Clock } from "../kube/clock.ts";

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now = 0;
  #wallOffset: number;
  readonly #timers = new Set<Timer>();

  constructor(start = new Date("2026-11-21T08:00:00Z")) {
    this.#wallOffset = start.getTime();
  }

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#wallOffset + this.#now);
  }

  after(milliseconds: number, callback: () => void): () => void {
    if (!(milliseconds <= 2 ** 31 - 1)) throw new RangeError(`a timer cannot wait ${milliseconds} ms`);
    const timer = { due: this.#now + Math.max(0, milliseconds), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Sets the time of day, as an administrator or NTP does. */
  setDate(date: Date): void {
    this.#wallOffset = date.getTime() - this.#now;
  }

  /** Lets time pass: every timer fires at its time, with all that follows from it done before the next one. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
    }
    return first;
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}
