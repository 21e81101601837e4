/** Resolves once the signal is aborted; at once where it is already. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/**
 * Waits for work that others may wait for as well, no longer than the signal lets it; the work itself goes on.
 * @throws what `errorOf` makes of the signal once it is aborted, what the work fails with
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  errorOf: (signal: AbortSignal) => Error,
): Promise<T> {
  const { promise: given, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(errorOf(signal));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work, given]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
