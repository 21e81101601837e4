import { crc32 } from "node:zlib";
import type { Entry as ZipEntry } from "yauzl";
import { CodedError, stopIfAborted } from "../errors.ts";
import type { Budget } from "./budget.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { decodeName } from "./parse-header.ts";
import { normalisePath, quote } from "./path.ts";
import type { ReadCounts } from "./read.ts";
import { SpoolWriter } from "./spool.ts";
import { Tree } from "./tree.ts";
import { ZipArchive } from "./zip-file.ts";

/** File types in the upper half of a zip entry's external attributes, where Unix put its mode. */
const typeMask = 0o170000;
const symlinkType = 0o120000;
const directoryType = 0o040000;
const regularType = 0o100000;
const maxLinkBytes = 4096;

export interface ZipRequest {
  readonly zipPath: string;
  /** All bodies go to this scratch file. */
  readonly spoolPath: string;
  readonly budget: Budget;
  readonly signal: AbortSignal;
}

/**
 * Reads a zip file into a tree.
 * @throws ArchiveInvalid, ArchiveUnsupported (encrypted, other methods than store and deflate), ArchiveUnsafePath,
 * ArchiveTooLarge, ArchiveRatioExceeded, ArchiveTooManyEntries, StorageFailed, Aborted
 */
export async function readZip(request: ZipRequest): Promise<{ tree: Tree; counts: ReadCounts }> {
  const zip = await ZipArchive.open(request.zipPath);
  try {
    const spool = await SpoolWriter.create(request.spoolPath);
    const reader = new ZipReader(zip, spool, request);
    try {
      await reader.read();
    } catch (error) {
      await spool.abandon();
      throw error;
    }
    await spool.close();
    return { tree: reader.tree, counts: reader.counts };
  } finally {
    await zip.close();
  }
}

/** A name that says it is UTF-8 and is not has got a replacement character, which names other files as well. */
function nameOf(entry: ZipEntry): string {
  return entry.fileName.includes("\ufffd") ? decodeName(entry.fileNameRaw) : entry.fileName;
}

class ZipReader {
  readonly tree: Tree;
  readonly counts: ReadCounts = { special: 0 };
  readonly #zip: ZipArchive;
  readonly #spool: SpoolWriter;
  readonly #budget: Budget;
  readonly #signal: AbortSignal;

  constructor(zip: ZipArchive, spool: SpoolWriter, { budget, signal }: ZipRequest) {
    this.#zip = zip;
    this.#spool = spool;
    this.#budget = budget;
    this.#signal = signal;
    this.tree = new Tree(budget.limits.maxEntries);
  }

  async read(): Promise<void> {
    // The directory is read from memory mostly, so nothing else would have its turn.
    const turns = new EventLoopTurns();
    for await (const entry of this.#zip.entries()) {
      await turns.next();
      this.#checkAbort();
      await this.#add(entry);
    }
  }

  async #add(entry: ZipEntry): Promise<void> {
    const { maxNameBytes } = this.#budget.limits;
    if (entry.fileNameLength > maxNameBytes)
      throw new CodedError("ArchiveUnsafePath", `the zip file has a name longer than ${maxNameBytes} bytes`);
    const path = normalisePath(nameOf(entry));
    this.#budget.spendEntry(path.length);
    const mode = entry.externalFileAttributes >>> 16;
    const type = mode & typeMask;
    if (entry.fileName.endsWith("/") || type === directoryType) return this.tree.putDirectory(path);
    if (type === symlinkType) return this.tree.put(path, { kind: "symlink", target: await this.#readLink(entry) });
    if (type !== 0 && type !== regularType) {
      this.counts.special += 1;
      return;
    }
    const offset = this.#spool.size;
    await this.#spoolBody(entry);
    this.tree.put(path, {
      kind: "file",
      executable: (mode & 0o111) !== 0,
      body: { file: this.#spool.path, offset, size: this.#spool.size - offset },
    });
  }

  async #spoolBody(entry: ZipEntry): Promise<void> {
    let crc = 0;
    await this.#zip.body(entry, (chunk) => {
      this.#checkAbort();
      crc = crc32(chunk, crc);
      this.#budget.checkExpanded(this.#spool.size + chunk.length);
      this.#budget.spend(chunk.length);
      return this.#spool.write(chunk);
    });
    if (crc !== entry.crc32)
      throw new CodedError("ArchiveInvalid", `the zip file's entry ${quote(entry.fileName)} has a wrong checksum`);
  }

  async #readLink(entry: ZipEntry): Promise<string> {
    if (entry.uncompressedSize > maxLinkBytes)
      throw new CodedError("ArchiveInvalid", `the zip file's symlink ${quote(entry.fileName)} has an immense target`);
    const pieces: Buffer[] = [];
    await this.#zip.body(entry, (chunk) => void pieces.push(chunk));
    const target = Buffer.concat(pieces).toString("utf8");
    this.#budget.spendEntry(target.length);
    return target;
  }

  #checkAbort(): void {
    stopIfAborted(this.#signal, "while reading a zip file");
  }
}
