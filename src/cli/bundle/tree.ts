import { lstat, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { applyIgnore, checkPublishable } from "../../archive/finish.ts";
import { Tree } from "../../archive/tree.ts";
import { CodedError, messageOf, stopIfAborted } from "../../errors.ts";
import type { Limits } from "../../oci/limits.ts";

export interface BundleTree {
  readonly tree: Tree;
  readonly files: number;
  /** What Flux could not unpack, or the rules left out. */
  readonly skipped: { readonly symlinks: number; readonly special: number; readonly ignored: number };
}

export interface TreeRequest {
  /** .gitignore syntax; undefined keeps to the .sourceignore files and Flux's default exclusions. */
  readonly ignore: string | undefined;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * The tree of a directory, or of one file. Its bodies are the files themselves: nothing is copied.
 * @throws InvalidSpec (no such thing), EmptyResult, ArchiveUnsafePath, ArchiveTooManyEntries, InvalidPattern, Aborted
 */
export async function readBundle(path: string, { ignore, limits, signal }: TreeRequest): Promise<BundleTree> {
  const walk = new Walk(new Tree(limits.maxEntries), signal);
  try {
    const info = await lstat(path);
    if (info.isDirectory()) await walk.directory(path, "");
    else await walk.entry(path, basename(path));
  } catch (error) {
    throw error instanceof CodedError
      ? error
      : new CodedError("InvalidSpec", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const { tree, symlinks, special } = walk;
  const leftOut = await applyIgnore(tree, { specIgnore: ignore, defaults: "flux" }, signal);
  checkPublishable(tree, leftOut);
  const files = [...tree.entries.values()].filter(({ kind }) => kind === "file").length;
  return { tree, files, skipped: { symlinks, special, ignored: leftOut.files } };
}

class Walk {
  readonly tree: Tree;
  readonly #signal: AbortSignal;
  symlinks = 0;
  special = 0;

  constructor(tree: Tree, signal: AbortSignal) {
    this.tree = tree;
    this.#signal = signal;
  }

  async directory(place: string, name: string): Promise<void> {
    stopIfAborted(this.#signal, "while reading the directory");
    if (name !== "") this.tree.putDirectory(name);
    for (const child of await readdir(place)) {
      // It is never published, and may hold more files than everything else.
      if (child === ".git") continue;
      await this.entry(join(place, child), name === "" ? child : `${name}/${child}`);
    }
  }

  async entry(place: string, name: string): Promise<void> {
    const info = await lstat(place);
    if (info.isDirectory()) await this.directory(place, name);
    else if (info.isFile())
      this.tree.put(name, {
        kind: "file",
        executable: (info.mode & 0o111) !== 0,
        body: { file: place, offset: 0, size: info.size },
      });
    else if (info.isSymbolicLink()) this.symlinks += 1;
    else this.special += 1;
  }
}
