import { lstatSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { isAbsolute, join } from "node:path";
import { isSea } from "node:sea";
import { makeDirectorySync } from "../disk/make-directory.ts";

/**
 * Has Node keep what V8 compiles from here on, so that the next command need not. Without a home, or where nothing can be written
 * there, each command compiles anew. What is kept is run, so nobody else may write it.
 */
export function keepCompiled(cacheDir: string): void {
  // The program in one file loads its parts by itself, and Node keeps only what it loads.
  if (!isAbsolute(cacheDir) || isSea()) return;
  const directory = join(cacheDir, "compiled");
  try {
    // Node would do it with its recursive mkdir, which may never return.
    makeDirectorySync(directory, 0o700);
    if (isOurs(directory)) enableCompileCache(directory);
  } catch {
    // It is compiled anew.
  }
}

/** Not that of the person who has become root, and none that others may write to. Windows does not say so in such terms. */
function isOurs(directory: string): boolean {
  const stat = lstatSync(directory);
  if (!stat.isDirectory() || process.getuid === undefined) return stat.isDirectory();
  return stat.uid === process.getuid() && (stat.mode & 0o022) === 0;
}
