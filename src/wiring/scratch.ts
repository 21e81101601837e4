import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { storageFailed } from "../archive/spool.ts";
import type { Scratch } from "../controller/ports.ts";

/** Inside the storage, so that a finished artifact is renamed into place; its name cannot be a kind's directory. */
const scratchName = ".scratch";

/** Scratch directories; what a killed process left behind is removed first. @throws StorageFailed */
export async function openScratch(root: string): Promise<() => Promise<Scratch>> {
  const parent = join(root, scratchName);
  try {
    await rm(parent, { recursive: true, force: true });
    await mkdir(parent, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageFailed(error);
  }
  return async () => {
    try {
      // Somebody may have emptied the storage meanwhile.
      await mkdir(parent, { recursive: true, mode: 0o700 });
      const dir = await mkdtemp(join(parent, "build-"));
      return { dir, remove: async () => await rm(dir, { recursive: true, force: true }) };
    } catch (error) {
      throw storageFailed(error);
    }
  };
}
