import { closeSync, constants, createReadStream, lstatSync, mkdirSync, openSync, writeSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Budget } from "../archive/budget.ts";
import { decompress } from "../archive/decompress.ts";
import { normalisePath, parentOf, unpublishable } from "../archive/path.ts";
import { TarScanner, type ScannedEntry, type ScanHandler } from "../archive/scanner.ts";
import { storageFailed } from "../archive/spool.ts";
import { CodedError } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";
import type { StagedBlob } from "../oci/types.ts";

/** True where `-o` names a file: the artifact itself is written there. */
export function isArchiveName(path: string): boolean {
  return /\.(?:tar\.gz|tgz)$/.test(path);
}

/** Writes the artifact to a file: whole, or not at all. @throws StorageFailed */
export async function writeFileOutput(blob: StagedBlob, path: string): Promise<void> {
  const temporary = `${path}.part-${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await copyFile(blob.path, temporary, constants.COPYFILE_FICLONE);
    // Scratch files are private; what was asked for is not.
    await chmod(temporary, 0o666 & ~process.umask());
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw storageFailed(error);
  }
}

/**
 * Unpacks the artifact below `root`, as a Flux consumer would; what is there already is overwritten, but never through a
 * symlink.
 * @throws StorageFailed; ArchiveUnsafePath where a symlink is in the way; Archive… for a copied layer that is broken
 */
export async function writeDirectoryOutput(blob: StagedBlob, root: string, context: { readonly limits: Limits; readonly signal: AbortSignal }): Promise<void> {
  const { limits, signal } = context;
  const writer = new DirectoryWriter(root);
  try {
    mkdirSync(root, { recursive: true });
    const scanner = new TarScanner(writer, limits);
    const budget = new Budget(limits, blob.size, { expandedBytes: 0 });
    let expanded = 0;
    const source = createReadStream(blob.path, { highWaterMark: 256 * 1024 });
    await decompress("gzip", source as AsyncIterable<Buffer>, (chunk) => {
      if (signal.aborted) throw new CodedError("Aborted", "stopped while writing the directory", { cause: signal.reason });
      expanded += chunk.length;
      budget.checkExpanded(expanded);
      scanner.push(chunk);
      return undefined;
    });
    scanner.finish();
  } catch (error) {
    throw storageFailed(error);
  } finally {
    writer.close();
  }
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

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
    if (problem !== undefined) throw new CodedError("ArchiveUnsafePath", `${JSON.stringify(path)} is not written: ${problem}`);
    if (type === "dir") return this.#directory(path);
    this.#directory(parentOf(path));
    this.#file = this.#open(path, (mode & 0o111) === 0 ? 0o644 : 0o755);
    if (size === 0) this.close();
  }

  data(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) at += writeSync(this.#file!, chunk, at, end - at);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(path: string, mode: number): number {
    const absolute = join(this.#root, path);
    try {
      return openSync(absolute, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ELOOP")) throw error;
      throw new CodedError("ArchiveUnsafePath", `${absolute} is a symlink, which is not followed; remove it`, { cause: error });
    }
  }

  #directory(path: string): void {
    if (path === "" || this.#made.has(path)) return;
    this.#directory(parentOf(path));
    const absolute = join(this.#root, path);
    try {
      mkdirSync(absolute);
    } catch (error) {
      if (!lstatSync(absolute).isDirectory()) throw new CodedError("ArchiveUnsafePath", `${absolute} is in the way and is no directory; remove it`, { cause: error });
    }
    this.#made.add(path);
  }
}
