import { createReadStream } from "node:fs";
import { constants, copyFile, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Budget } from "../archive/budget.ts";
import { parentOf, unpublishable } from "../archive/path.ts";
import { readTar } from "../archive/read.ts";
import { SpoolReaders } from "../archive/spool-readers.ts";
import { storageFailed } from "../archive/spool.ts";
import type { FileEntry, Tree } from "../archive/tree.ts";
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
export async function writeDirectoryOutput(blob: StagedBlob, root: string, context: { readonly dir: string; readonly limits: Limits; readonly signal: AbortSignal }): Promise<void> {
  const budget = new Budget(context.limits, blob.size, { expandedBytes: 0 });
  const source = createReadStream(blob.path, { highWaterMark: 256 * 1024 });
  const { tree } = await readTar(source as AsyncIterable<Buffer>, { compression: "gzip", spoolPath: join(context.dir, "unpacked.tar"), budget, signal: context.signal });
  await new DirectoryWriter(root).write(tree, context.signal);
}

class DirectoryWriter {
  readonly #root: string;
  /** Directories that are known to be real ones. */
  readonly #made = new Set<string>();
  readonly #readers = new SpoolReaders();

  constructor(root: string) {
    this.#root = root;
  }

  async write(tree: Tree, signal: AbortSignal): Promise<void> {
    try {
      await mkdir(this.#root, { recursive: true });
      for (const path of tree.paths()) {
        if (signal.aborted) throw new CodedError("Aborted", "stopped while writing the directory", { cause: signal.reason });
        const entry = tree.entries.get(path)!;
        const problem = unpublishable(path);
        if (problem !== undefined) throw new CodedError("ArchiveUnsafePath", `${JSON.stringify(path)} is not written: ${problem}`);
        if (entry.kind === "dir") await this.#directory(path);
        else if (entry.kind === "file") await this.#file(path, entry);
      }
    } catch (error) {
      throw storageFailed(error);
    } finally {
      await this.#readers.close();
    }
  }

  async #directory(path: string): Promise<void> {
    if (path === "" || this.#made.has(path)) return;
    await this.#directory(parentOf(path));
    const absolute = join(this.#root, path);
    try {
      await mkdir(absolute);
    } catch (error) {
      const existing = await lstat(absolute);
      if (!existing.isDirectory()) throw new CodedError("ArchiveUnsafePath", `${absolute} is in the way and is no directory; remove it`, { cause: error });
    }
    this.#made.add(path);
  }

  async #file(path: string, { executable, body }: FileEntry): Promise<void> {
    await this.#directory(parentOf(path));
    const absolute = join(this.#root, path);
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const file = await open(absolute, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, executable ? 0o755 : 0o644).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ELOOP") throw new CodedError("ArchiveUnsafePath", `${absolute} is a symlink, which is not followed; remove it`, { cause: error });
      throw error;
    });
    try {
      for (let at = 0; at < body.size; ) {
        const piece = await this.#readers.read(body.file, body.offset + at, body.size - at);
        await file.write(piece);
        at += piece.length;
      }
    } finally {
      await file.close();
    }
  }
}
