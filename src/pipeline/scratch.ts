import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../disk/make-directory.ts";
import { storageFailed } from "../archive/spool.ts";
import type { Scratch } from "./ports.ts";

/** Inside the storage, so that a finished artifact is renamed into place; its name cannot be a kind's directory. */
const scratchName = ".scratch";

/** Scratch directories, used again and again; what a killed process left behind is removed first. @throws StorageFailed */
export async function openScratch(root: string): Promise<() => Promise<Scratch>> {
  const parent = join(root, scratchName);
  const idle: string[] = [];
  let made = 0;
  try {
    await rm(parent, { recursive: true, force: true });
  } catch (error) {
    throw storageFailed(error);
  }
  return async () => {
    const dir = idle.pop() ?? join(parent, `build-${++made}`);
    try {
      // Also one that was used before: somebody may have emptied the storage meanwhile.
      await makeDirectory(dir, 0o700);
    } catch (error) {
      throw storageFailed(error);
    }
    return {
      dir,
      remove: async () => {
        // Mostly all there was has become the artifact.
        const left = await readdir(dir).catch(() => ["?"]);
        if (left.length === 0) idle.push(dir);
        // Whatever left something behind may still be at it: nobody else gets a directory of that name.
        else await rm(dir, { recursive: true, force: true });
      },
    };
  };
}
