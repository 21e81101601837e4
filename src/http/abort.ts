import { CodedError, type ErrorCode } from "../errors.ts";

/** What is said of work that a signal has ended. */
interface Ending {
  /** What was given up, such as `the request`. */
  readonly what: string;
  /** Where the signal is one of a timeout. */
  readonly late: { readonly code: ErrorCode; readonly message: string };
}

/** The error for work that `signal` has ended: its own reason where that is coded, `late` after a timeout, else Aborted. */
export function abortError(signal: AbortSignal, { what, late }: Ending): CodedError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof CodedError) return reason;
  const isLate = reason instanceof Error && reason.name === "TimeoutError";
  return isLate
    ? new CodedError(late.code, late.message, { cause: reason })
    : new CodedError("Aborted", `${what} was given up`, { cause: reason });
}

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
