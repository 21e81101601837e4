import { chmodSync, lstatSync, mkdtempSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parentOf, unpublishable } from "../archive/path.ts";
import type { FileEntry, Tree } from "../archive/tree.ts";
import { makeDirectorySync } from "../disk/make-directory.ts";
import { stopIfAborted } from "../errors.ts";
import { FileBatches } from "./file-batches.ts";
import { FileThreads } from "./file-threads.ts";
import { createDirectory } from "./place.ts";
import { makeRoom } from "./make-room.ts";
import { writeFiles } from "./write-files.ts";
import { writeFailed } from "./write-output.ts";

/** Starting threads takes longer than to write so many files with so many bytes. */
const inlineFiles = 256;
const inlineBytes = 8 * 1024 * 1024;
/** Longer paths are not written ahead: this file system might refuse them, and they may be ignored in the end. */
const maxAheadLength = 512;

/**
 * A directory that a tree is written to. A new one is made under another name beside it and gets its own once it is whole:
 * into such a one files are written ahead, while layers are still being read, and what turns out not to be published is removed.
 * In one that exists nothing is touched before the tree is known. Files there are replaced, and nothing is written through a symlink.
 */
export class DirectoryOutput {
  readonly #root: string;
  readonly #force: boolean;
  readonly #signal: AbortSignal;
  readonly #threads = new FileThreads();
  readonly #batches: FileBatches;
  /** Where files are written: the root, or what will become it. */
  readonly #place: string;
  #isStaged: boolean;
  readonly #directories = new Set<string>([""]);
  readonly #ahead = new Map<string, FileEntry>();

  private constructor(
    root: string,
    { staging, force }: { readonly staging?: string; readonly force: boolean },
    signal: AbortSignal,
  ) {
    this.#root = root;
    this.#force = force;
    this.#place = staging ?? root;
    this.#isStaged = staging !== undefined;
    this.#signal = signal;
    this.#batches = new FileBatches(this.#place);
  }

  /**
   * @param force remove what an existing directory holds besides the tree; without, such a one is refused
   * @throws StorageFailed
   */
  static open(path: string, force: boolean, signal: AbortSignal): DirectoryOutput {
    const root = resolve(path);
    try {
      if (lstatSync(root, { throwIfNoEntry: false }) !== undefined) return new DirectoryOutput(root, { force }, signal);
      makeDirectorySync(dirname(root));
      const staging = mkdtempSync(`${root}.part-`);
      chmodSync(staging, 0o777 & ~process.umask());
      return new DirectoryOutput(root, { staging, force }, signal);
    } catch (error) {
      throw writeFailed(root, error);
    }
  }

  /**
   * Takes a file that will probably be published.
   * @param written says how many bytes of its scratch file are there
   * @throws StorageFailed
   */
  offer(path: string, entry: FileEntry, written: () => number): void {
    try {
      if (!this.#isStaged || !this.#canGoAhead(path)) return;
      this.#ahead.set(path, entry);
      if (!this.#batches.add({ path, entry }, written)) return;
      for (const batch of this.#batches.takeReady()) this.#threads.add(batch);
    } catch (error) {
      throw writeFailed(this.#root, error);
    }
  }

  /**
   * Writes what is not there yet, and waits until all is there.
   * @throws StorageFailed, also where the directory holds something else; ArchiveUnsafePath where something else than a file or directory is in the way; Aborted
   */
  async finish(tree: Tree): Promise<void> {
    try {
      stopIfAborted(this.#signal, "before the directory was written");
      if (!this.#isStaged) {
        makeDirectorySync(this.#root);
        await makeRoom(this.#root, (path) => tree.entries.get(path)?.kind, this.#force);
      }
      await this.#removeOthers(tree);
      this.#makeDirectories(tree);
      for (const [path, entry] of tree.entries)
        if (entry.kind === "file" && this.#ahead.get(path) !== entry) this.#batches.add({ path, entry });
      await this.#writeAll();
      await this.#threads.stop();
      if (this.#isStaged) renameSync(this.#place, this.#root);
      this.#isStaged = false;
    } catch (error) {
      throw writeFailed(this.#root, error);
    }
  }

  /** Ends what is under way; a new directory vanishes unless it was finished. */
  async close(): Promise<void> {
    await this.#threads.stop();
    if (this.#isStaged) await rm(this.#place, { recursive: true, force: true }).catch(() => undefined);
  }

  #canGoAhead(path: string): boolean {
    if (path.length > maxAheadLength || unpublishable(path) !== undefined) return false;
    return !this.#ahead.has(path) && !this.#directories.has(path) && this.#makeAhead(parentOf(path));
  }

  /** False where another layer has a file of that name. */
  #makeAhead(path: string): boolean {
    if (this.#directories.has(path)) return true;
    if (this.#ahead.has(path) || !this.#makeAhead(parentOf(path))) return false;
    this.#makeDirectory(path);
    return true;
  }

  /** What was written ahead and is not published, or not with that content. */
  async #removeOthers(tree: Tree): Promise<void> {
    const files: string[] = [];
    for (const [path, entry] of this.#ahead) if (tree.entries.get(path) !== entry) files.push(path);
    const directories = [...this.#directories].filter((path) => path !== "" && tree.entries.get(path)?.kind !== "dir");
    if (files.length + directories.length === 0) return;
    await this.#writeAll();
    for (const path of files) {
      unlinkSync(join(this.#place, path));
      this.#ahead.delete(path);
    }
    // Those below others first.
    for (const path of directories.sort((a, b) => b.length - a.length)) {
      rmdirSync(join(this.#place, path));
      this.#directories.delete(path);
    }
  }

  /** Every directory that a file lies in is in the tree; parents have shorter names. */
  #makeDirectories(tree: Tree): void {
    const paths: string[] = [];
    for (const [path, { kind }] of tree.entries) if (kind === "dir" && !this.#directories.has(path)) paths.push(path);
    for (const path of paths.sort((a, b) => a.length - b.length)) this.#makeDirectory(path);
  }

  #makeDirectory(path: string): void {
    createDirectory(join(this.#place, path));
    this.#directories.add(path);
  }

  async #writeAll(): Promise<void> {
    const { files, bytes } = this.#batches;
    const isLittle = !this.#threads.areStarted && files <= inlineFiles && bytes <= inlineBytes;
    for (const batch of this.#batches.takeAll()) {
      if (isLittle) writeFiles(batch);
      else this.#threads.add(batch);
    }
    await this.#threads.done(this.#signal);
  }
}
