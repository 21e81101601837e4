import { open } from "node:fs/promises";
import { join } from "node:path";

/** What a disk does with a write: takes it, takes ten bytes of it, or has no space left. */
export type DiskMood = "good" | "short" | "full";

type Writev = (this: unknown, pieces: readonly Buffer[]) => Promise<{ bytesWritten: number }>;

/**
 * Runs `run` on a disk with moods: stands in for the writev of every open file, the system's call beneath.
 * @param moodOf the mood for each call, numbered from 0; until it is known, the disk takes nothing
 */
export async function onDisk<T>(
  dir: string,
  moodOf: (call: number) => DiskMood | Promise<DiskMood>,
  run: () => Promise<T>,
): Promise<T> {
  const probe = await open(join(dir, "disk-probe"), "w");
  const prototype = Object.getPrototypeOf(probe) as { writev: Writev };
  await probe.close();
  const { writev } = prototype;
  let calls = 0;
  prototype.writev = async function (pieces) {
    const mood = await moodOf(calls++);
    if (mood === "full") throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    return await writev.call(this, mood === "short" ? [pieces[0]!.subarray(0, 10)] : pieces);
  };
  try {
    return await run();
  } finally {
    prototype.writev = writev;
  }
}
