/** How long one piece of work may keep everything else in this process waiting. */
const sliceMs = 10;

/**
 * Lets other work of this process have its turn during a long loop over input that someone else has sized. Timers, probes
 * and aborts come through at each turn.
 */
export class EventLoopTurns {
  readonly #signal: AbortSignal | undefined;
  readonly #now: () => number;
  #ends: number;
  #taken = 0;

  constructor(signal?: AbortSignal, now: () => number = () => performance.now()) {
    this.#signal = signal;
    this.#now = now;
    this.#ends = now() + sliceMs;
  }

  /** How often others have had their turn. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * To be asked between two steps, each a small part of a slice: a promise, to be waited for, where the slice is over.
   * It rejects with the reason of the signal.
   */
  next(): Promise<void> | undefined {
    return this.#now() < this.#ends ? undefined : this.#give();
  }

  async #give(): Promise<void> {
    this.#taken += 1;
    await new Promise(setImmediate);
    this.#signal?.throwIfAborted();
    this.#ends = this.#now() + sliceMs;
  }
}
