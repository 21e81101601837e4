import { mkdirSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it, like `mkdir -p`. Node's own recursive mkdir never returns where a parent can neither be
 * made nor be found, as below /proc: not even a signal ends it.
 *
 * @param mode of each that is made
 * @throws what the file system throws, at once
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (await isDirectory(path)) return;
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeDirectory(dirname(path), mode);
    await mkdir(path, mode).catch(async (second: unknown) => {
      // Another process may have been faster.
      if (!(await isDirectory(path))) throw second;
    });
  }
}

/** The same at once. */
export function makeDirectorySync(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    makeDirectorySync(dirname(path), mode);
    mkdirSync(path, mode);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code;
