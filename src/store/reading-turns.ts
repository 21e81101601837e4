import pLimit from "p-limit";

/** Runs the reading of a file of so many bytes, mostly in its turn. */
export type ReadInTurn = <T>(bytes: number, work: () => Promise<T>) => Promise<T>;

/** What is read faster than a turn is waited for. */
const smallBytes = 4 * 1024 * 1024;

/** Longest wait for the files of others, which may be large and many: then a file is read beside them. */
const mostWaitMs = 5000;

/** Lets `concurrent` large files be read at once: more would only compete for the disk. */
export function readingTurns(concurrent: number, patienceMs = mostWaitMs): ReadInTurn {
  const limit = pLimit(concurrent);
  return async <T>(bytes: number, work: () => Promise<T>): Promise<T> => {
    if (bytes <= smallBytes) return await work();
    let running: Promise<T> | undefined;
    const run = (): Promise<T> => (running ??= work());
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    try {
      return await Promise.race([limit(run), late.then(run)]);
    } finally {
      clearTimeout(timer);
    }
  };
}
