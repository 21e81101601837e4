/** Runs `work`; where it takes longer than `afterMs`, `tell`, which never fails, says so meanwhile. */
export async function withProgress<T>(afterMs: number, tell: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  let telling: Promise<void> | undefined;
  const timer = setTimeout(() => {
    telling = tell();
  }, afterMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    await telling;
  }
}
