import { unlessAborted } from "../http/abort.ts";
import type { AccessKey } from "./access-key.ts";
import { entryKey } from "./shared-cache.ts";

/** Who asks, and how long for what others do. */
export interface Asker {
  /** Longest wait for another's work, in ms; then the asker does it itself. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** Most that is waited for a small answer which another has asked for. */
const mostPatienceMs = 5000;

/** How long somebody whose own requests may take `timeoutMs` waits for another's: enough is left to ask itself. */
export function patienceFor(timeoutMs: number): number {
  return Math.min(timeoutMs / 2, mostPatienceMs);
}

/**
 * The result of another's work, where it comes in time. Undefined where it fails, takes too long, or the asker is aborted: none
 * of it is an answer, and whoever needs one does the work itself, within its own bounds.
 */
export async function givenByAnother<T>(
  work: Promise<T>,
  { patienceMs, signal }: Asker,
): Promise<{ readonly value: T } | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, patienceMs);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  const given = work.then(
    (value) => ({ value }),
    () => undefined,
  );
  try {
    return await Promise.race([late, given]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/** Work that is done once for all with the same access who want it at the same time. */
export class SharedWork<T> {
  readonly #running = new Map<string, Promise<T>>();
  readonly #errorOf: (signal: AbortSignal) => Error;

  /** @param errorOf what an asker is told who was aborted; the work has bounds of its own and goes on for the others */
  constructor(errorOf: (signal: AbortSignal) => Error) {
    this.#errorOf = errorOf;
  }

  /** @throws what the asker's own work fails with, never another's failure */
  async run(access: AccessKey, name: string, work: () => Promise<T>, asker: Asker): Promise<T> {
    const key = entryKey(access, name);
    const others = this.#running.get(key);
    const given = others && (await givenByAnother(others, asker));
    if (given) return given.value;
    if (asker.signal.aborted) throw this.#errorOf(asker.signal);
    const own = work();
    this.#running.set(key, own);
    const end = (): void => void (this.#running.get(key) === own && this.#running.delete(key));
    void own.then(end, end);
    return await unlessAborted(own, asker.signal, this.#errorOf);
  }
}
