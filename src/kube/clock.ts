/** Time as far as a controller needs it; tests hand in their own. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward, whatever happens to the time of day. */
  now(): number;
  /** The time of day. */
  date(): Date;
  /** Calls back once, after at most 2^31-1 ms; what is returned cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  date: () => new Date(),
  after: (milliseconds: number, callback: () => void) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
});

/** Resolves after the time, or at once when the signal is aborted; it is for the caller to look at the signal. */
export async function sleep(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  const cancel = clock.after(milliseconds, wake);
  signal.addEventListener("abort", wake);
  await promise;
  cancel();
  signal.removeEventListener("abort", wake);
}
