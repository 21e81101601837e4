import { closeSync, constants, readdirSync, writeSync } from "node:fs";
import { chmod, copyFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { normalisePath, parentOf, unpublishable } from "../archive/path.ts";
import { scanArchive } from "../archive/scan-archive.ts";
import type { ScannedEntry, ScanHandler } from "../archive/scanner.ts";
import { makeDirectory, makeDirectorySync } from "../disk/make-directory.ts";
import { CodedError, messageOf } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";
import type { StagedBlob } from "../oci/types.ts";
import { createDirectory, createFile } from "./place.ts";
import { makeRoom } from "./make-room.ts";

/** For the error of an abort. */
const writing = "while writing the directory";

/** True where `-o` names a file: the artifact itself is written there. */
export function isArchiveName(path: string): boolean {
  return /\.(?:tar\.gz|tgz)$/.test(path);
}

/** Writes the artifact to a file: whole, or not at all. @throws StorageFailed */
export async function writeFileOutput(blob: StagedBlob, path: string): Promise<void> {
  const temporary = `${path}.part-${process.pid}`;
  try {
    await makeDirectory(dirname(path));
    await rm(temporary, { force: true });
    await copyFile(blob.path, temporary, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    // Scratch files are private; what was asked for is not.
    await chmod(temporary, 0o666 & ~process.umask());
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailed(path, error);
  }
}

export interface WriteContext {
  readonly limits: Limits;
  /** Remove what an existing directory holds besides the artifact's content; without, such a one is refused. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/**
 * Unpacks the artifact below `root`, as a Flux consumer would; files that are there already are replaced, and nothing is
 * written through a symlink.
 * @throws StorageFailed, also where the directory holds something else; ArchiveUnsafePath where something else than a file or directory is in the way; Archive… for a copied
 * layer that is broken
 */
export async function writeDirectoryOutput(blob: StagedBlob, root: string, context: WriteContext): Promise<void> {
  const writer = new DirectoryWriter(root);
  try {
    makeDirectorySync(root);
    // Most directories are new: then the archive is read once.
    if (readdirSync(root).length > 0) {
      const names = new NameCollector();
      await scanArchive(blob, names, context, writing);
      await makeRoom(root, (path) => names.kinds.get(path), context.force);
    }
    await scanArchive(blob, writer, context, writing);
  } catch (error) {
    throw writeFailed(root, error);
  } finally {
    writer.close();
  }
}

/** What will be at which path. */
class NameCollector implements ScanHandler {
  readonly kinds = new Map<string, "file" | "dir">();

  entry({ type, name }: ScannedEntry): void {
    if (type !== "file" && type !== "dir") return;
    const path = normalisePath(name);
    if (path !== "") this.kinds.set(path, type);
    for (let above = parentOf(path); above !== "" && !this.kinds.has(above); above = parentOf(above))
      this.kinds.set(above, "dir");
  }

  data(): void {
    // Only names matter.
  }
}

export function writeFailed(path: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError("StorageFailed", `${path} cannot be written: ${messageOf(error)}`, { cause: error });
}

/**
 * Writes files while the archive is being read. Its calls are synchronous: thousands of small files are done before the
 * thread pool would have said so, and inflating goes on there meanwhile.
 */
class DirectoryWriter implements ScanHandler {
  readonly #root: string;
  /** Directories that are known to be real ones. */
  readonly #made = new Set<string>();
  #file: number | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  entry({ type, name, mode, size }: ScannedEntry): void {
    this.close();
    if (type !== "file" && type !== "dir") return;
    const path = normalisePath(name);
    const problem = unpublishable(path);
    if (problem !== undefined)
      throw new CodedError("ArchiveUnsafePath", `${JSON.stringify(path)} is not written: ${problem}`);
    if (type === "dir") return this.#directory(path);
    this.#directory(parentOf(path));
    this.#file = createFile(join(this.#root, path), (mode & 0o111) !== 0);
    if (size === 0) this.close();
  }

  data(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) at += writeSync(this.#file!, chunk, at, end - at);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #directory(path: string): void {
    if (path === "" || this.#made.has(path)) return;
    this.#directory(parentOf(path));
    createDirectory(join(this.#root, path));
    this.#made.add(path);
  }
}
