import type { Clock } from "../clock.ts";
import { sleep } from "../clock.ts";

/** A token bucket: `burst` requests at once, then `qps` a second, first come, first served. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #burst: number;
  /** When the bucket would be full again. */
  #fullAt = -Infinity;

  /** No limit where `qps` is not positive. */
  constructor(qps: number, burst: number, clock: Clock) {
    this.#clock = clock;
    this.#intervalMs = qps > 0 ? 1000 / qps : 0;
    this.#burst = Math.max(1, burst);
  }

  /** Waits for a token. When the signal ends the wait, the token goes back, and it is for the caller to look at the signal. */
  async take(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#fullAt = Math.max(this.#fullAt, now) + this.#intervalMs;
    const waitMs = this.#fullAt - now - this.#burst * this.#intervalMs;
    if (waitMs <= 0) return;
    await sleep(this.#clock, waitMs, signal);
    if (signal.aborted) this.#fullAt -= this.#intervalMs;
  }
}
