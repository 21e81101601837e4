import { setTimeout as sleep } from "node:timers/promises";

/**
 * The first value of `check` that is neither undefined nor false. What it throws counts as "not yet" and is shown when
 * the time is up.
 */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  timeoutMs = 30_000,
  everyMs = 100,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: Error | undefined;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error instanceof Error ? error : new Error(JSON.stringify(error));
    }
    if (performance.now() > deadline) {
      throw new Error(
        `waited ${timeoutMs} ms in vain for ${what}${last === undefined ? "" : `; last: ${last.message}`}`,
        { cause: last },
      );
    }
    await sleep(everyMs);
  }
}

/** Fails when `check` becomes false within the time: for "nothing happens" claims. */
export async function throughout(
  what: string,
  check: () => Promise<boolean>,
  durationMs: number,
  everyMs = 100,
): Promise<void> {
  const deadline = performance.now() + durationMs;
  while (performance.now() < deadline) {
    if (!(await check())) throw new Error(`did not hold for ${durationMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
