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
  } catch {
    return;
  }
  enableCompileCache(directory);
}
