import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Its first character keeps it from being taken for a kind's directory. */
const heartbeatFile = ".leader";
const beatMs = 5000;
/** Three beats may be late. */
const staleMs = 4 * beatMs;

/** Leaves a sign of life in the storage until the signal ends it: who shares the storage may serve its files as well. */
export function startHeartbeat(root: string, identity: string, signal: AbortSignal): void {
  const path = join(root, heartbeatFile);
  let count = 0;
  const beat = (): void => {
    // One name for all: what a killed leader has left, the next one uses up.
    const temporary = `${path}.tmp`;
    // A storage that fails says so wherever it matters.
    void writeFile(temporary, `${identity} ${++count}\n`)
      .then(() => rename(temporary, path))
      .catch(() => undefined);
  };
  beat();
  const timer = setInterval(beat, beatMs);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/**
 * Whether somebody else's signs of life arrive in this storage. Only changes are looked at, never a time: clocks may differ.
 */
export function watchHeartbeat(root: string, signal: AbortSignal): () => boolean {
  let seen: string | undefined;
  let changedAt = -Infinity;
  const look = async (): Promise<void> => {
    const text = await readFile(join(root, heartbeatFile), "utf8").catch(() => undefined);
    if (text === undefined || text === seen) return;
    // What was there at the start may be of a leader that is long gone.
    if (seen !== undefined) changedAt = performance.now();
    seen = text;
  };
  void look();
  const timer = setInterval(() => void look(), beatMs / 2);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return () => performance.now() - changedAt < staleMs;
}
