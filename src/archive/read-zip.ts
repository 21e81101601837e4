import { crc32 } from "node:zlib";
import { openPromise, type Entry as ZipEntry, type ZipFile } from "yauzl";
import { CodedError, messageOf } from "../errors.ts";
import type { Budget } from "./budget.ts";
import { normalisePath, quote } from "./path.ts";
import type { ReadCounts } from "./read.ts";
import { SpoolWriter } from "./spool.ts";
import { Tree } from "./tree.ts";

/** File types in the upper half of a zip entry's external attributes, where Unix put its mode. */
const TYPE_MASK = 0o170000;
const SYMLINK = 0o120000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const MAX_LINK_BYTES = 4096;

/**
 * Reads a zip file into a tree; the bodies go to one scratch file at `spoolPath`.
 * @throws ArchiveInvalid, ArchiveUnsupported (encrypted, other methods than store and deflate), ArchiveUnsafePath,
 * ArchiveTooLarge, ArchiveRatioExceeded, ArchiveTooManyEntries, StorageFailed
 */
export async function readZip(zipPath: string, spoolPath: string, budget: Budget, signal: AbortSignal): Promise<{ tree: Tree; counts: ReadCounts }> {
  const spool = await SpoolWriter.create(spoolPath);
  const reader = new ZipReader(spool, budget);
  try {
    await reader.read(zipPath, signal);
  } catch (error) {
    await spool.abandon();
    throw explain(error);
  }
  await spool.close();
  return { tree: reader.tree, counts: reader.counts };
}

class ZipReader {
  readonly tree: Tree;
  readonly counts: ReadCounts = { special: 0 };
  readonly #spool: SpoolWriter;
  readonly #budget: Budget;

  constructor(spool: SpoolWriter, budget: Budget) {
    this.#spool = spool;
    this.#budget = budget;
    this.tree = new Tree(budget.limits.maxEntries);
  }

  async read(zipPath: string, signal: AbortSignal): Promise<void> {
    const zip = await openPromise(zipPath, { lazyEntries: true, autoClose: false, validateEntrySizes: true });
    try {
      let entries = 0;
      for await (const entry of zip.eachEntry()) {
        if (signal.aborted) throw new CodedError("Aborted", "stopped while reading a zip file", { cause: signal.reason });
        if (++entries > this.#budget.limits.maxEntries) throw new CodedError("ArchiveTooManyEntries", `the zip file has more than ${this.#budget.limits.maxEntries} entries`);
        await this.#add(zip, entry);
      }
    } finally {
      zip.close();
    }
  }

  async #add(zip: ZipFile, entry: ZipEntry): Promise<void> {
    const { maxNameBytes } = this.#budget.limits;
    if (entry.fileNameLength > maxNameBytes) throw new CodedError("ArchiveUnsafePath", `the zip file has a name longer than ${maxNameBytes} bytes`);
    if (entry.isEncrypted()) throw new CodedError("ArchiveUnsupported", `the zip file's entry ${quote(entry.fileName)} is encrypted`);
    const path = normalisePath(entry.fileName);
    const mode = entry.externalFileAttributes >>> 16;
    const type = mode & TYPE_MASK;
    if (entry.fileName.endsWith("/") || type === DIRECTORY) return this.tree.putDirectory(path);
    if (type === SYMLINK) return this.tree.put(path, { kind: "symlink", target: await this.#readLink(zip, entry) });
    if (type !== 0 && type !== REGULAR) {
      this.counts.special += 1;
      return;
    }
    const offset = this.#spool.size;
    await this.#spoolBody(zip, entry);
    this.tree.put(path, { kind: "file", executable: (mode & 0o111) !== 0, body: { file: this.#spool.path, offset, size: this.#spool.size - offset } });
  }

  async #spoolBody(zip: ZipFile, entry: ZipEntry): Promise<void> {
    let crc = 0;
    for await (const chunk of await this.#open(zip, entry)) {
      crc = crc32(chunk, crc);
      this.#budget.checkExpanded(this.#spool.size + chunk.length);
      this.#budget.spend(chunk.length);
      await this.#spool.write(chunk);
    }
    if (crc !== entry.crc32) throw new CodedError("ArchiveInvalid", `the zip file's entry ${quote(entry.fileName)} has a wrong checksum`);
  }

  async #readLink(zip: ZipFile, entry: ZipEntry): Promise<string> {
    if (entry.uncompressedSize > MAX_LINK_BYTES) throw new CodedError("ArchiveInvalid", `the zip file's symlink ${quote(entry.fileName)} has an immense target`);
    const pieces: Buffer[] = [];
    for await (const chunk of await this.#open(zip, entry)) pieces.push(chunk);
    return Buffer.concat(pieces).toString("utf8");
  }

  async #open(zip: ZipFile, entry: ZipEntry): Promise<AsyncIterable<Buffer>> {
    if (!entry.canDecodeFileData()) {
      throw new CodedError("ArchiveUnsupported", `the zip file's entry ${quote(entry.fileName)} is compressed with method ${entry.compressionMethod}; only deflate is supported`);
    }
    return zip.openReadStreamPromise(entry);
  }
}

/** yauzl throws plain errors; those about names say so in their first words. */
function explain(error: unknown): unknown {
  if (error instanceof CodedError) return error;
  const isName = /^(?:absolute path|invalid relative path|invalid characters)/.test(messageOf(error));
  return new CodedError(isName ? "ArchiveUnsafePath" : "ArchiveInvalid", `the zip file cannot be read: ${messageOf(error)}`, { cause: error });
}
