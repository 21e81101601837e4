import { stat } from "node:fs/promises";
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from "yauzl";
import { CodedError, messageOf } from "../errors.ts";
import { inflateMember, type ChunkSink } from "./decompress.ts";
import { quote } from "./path.ts";
import { SpoolReader, storageFailed } from "./spool.ts";

const storedMethod = 0;
const deflatedMethod = 8;
const localHeaderBytes = 30;
const localHeaderMagic = 0x04034b50;

/** A zip file on disk: yauzl finds the entries, their bodies are read here. */
export class ZipArchive {
  readonly #zip: ZipFile;
  readonly #size: number;
  /** Two readers, so that each sees its own part of the file in order. */
  readonly #directory: SpoolReader;
  readonly #bodies: SpoolReader;

  private constructor(path: string, size: number, directory: SpoolReader, zip: ZipFile) {
    this.#size = size;
    this.#directory = directory;
    this.#zip = zip;
    this.#bodies = new SpoolReader(path);
  }

  /** @throws ArchiveInvalid, StorageFailed */
  static async open(path: string): Promise<ZipArchive> {
    const directory = new SpoolReader(path);
    try {
      const { size } = await stat(path);
      const zip = await fromRandomAccessReaderPromise(new DirectoryReader(directory, size), size, {
        lazyEntries: true,
        autoClose: false,
      });
      return new ZipArchive(path, size, directory, zip);
    } catch (error) {
      await directory.close();
      throw explain(error);
    }
  }

  /** As the central directory has them. @throws ArchiveInvalid, ArchiveUnsafePath, StorageFailed */
  async *entries(): AsyncGenerator<Entry> {
    const entries = this.#zip.eachEntry();
    for (;;) {
      // Failures of whoever takes the entries must not be explained as failures of the zip file.
      const next = await entries.next().catch((error: unknown) => Promise.reject(explain(error)));
      if (next.done === true) return;
      yield next.value;
    }
  }

  /**
   * Gives the body of an entry to `sink`: exactly `entry.uncompressedSize` bytes. The checksum is not looked at.
   * @throws ArchiveInvalid, ArchiveUnsupported, StorageFailed; whatever the sink throws
   */
  async body(entry: Entry, sink: ChunkSink): Promise<void> {
    const { compressionMethod: method, uncompressedSize } = entry;
    if (entry.isEncrypted())
      throw new CodedError("ArchiveUnsupported", `the zip file's entry ${quote(entry.fileName)} is encrypted`);
    if (method !== storedMethod && method !== deflatedMethod) {
      throw new CodedError(
        "ArchiveUnsupported",
        `the zip file's entry ${quote(entry.fileName)} is compressed with method ${method}; only deflate is supported`,
      );
    }
    let left = uncompressedSize;
    const counting: ChunkSink = (chunk) => {
      left -= chunk.length;
      if (left < 0) throw wrongSize(entry);
      return sink(chunk);
    };
    await (method === storedMethod ? this.#stored(entry, counting) : this.#deflated(entry, counting));
    if (left !== 0) throw wrongSize(entry);
  }

  async close(): Promise<void> {
    this.#zip.close();
    await Promise.all([this.#directory.close(), this.#bodies.close()]);
  }

  async #stored(entry: Entry, sink: ChunkSink): Promise<void> {
    // A copy: the reader uses its buffer again, the sink may keep what it is given.
    for await (const piece of this.#compressed(entry)) await sink(Buffer.from(piece));
  }

  async #deflated(entry: Entry, sink: ChunkSink): Promise<void> {
    const member = inflateMember(sink, entry.uncompressedSize);
    try {
      for await (const piece of this.#compressed(entry)) {
        if ((await member.write(piece)) < piece.length) throw wrongSize(entry);
      }
      await member.end();
    } finally {
      member.destroy();
    }
  }

  async *#compressed(entry: Entry): AsyncGenerator<Buffer> {
    const start = await this.#bodyStart(entry);
    for (let at = start; at < start + entry.compressedSize;) {
      const piece = await this.#bodies.read(at, start + entry.compressedSize - at);
      yield piece;
      at += piece.length;
    }
  }

  /** The local header repeats what the directory says; only its length counts here. */
  async #bodyStart(entry: Entry): Promise<number> {
    const at = entry.relativeOffsetOfLocalHeader;
    if (at + localHeaderBytes > this.#size) throw outOfFile(entry);
    const header = await readExactly(this.#bodies, at, localHeaderBytes);
    if (header.readUInt32LE(0) !== localHeaderMagic)
      throw new CodedError(
        "ArchiveInvalid",
        `the zip file's entry ${quote(entry.fileName)} is not where the directory says`,
      );
    const start = at + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (start + entry.compressedSize > this.#size) throw outOfFile(entry);
    return start;
  }
}

type ReadRequest = [
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
  callback: (error: Error | null, bytesRead?: number) => void,
];

/** yauzl's own reader throws past every catch for an offset that no file can have. */
class DirectoryReader extends RandomAccessReader {
  readonly #reader: SpoolReader;
  readonly #size: number;

  constructor(reader: SpoolReader, size: number) {
    super();
    this.#reader = reader;
    this.#size = size;
  }

  override read(...request: ReadRequest): void {
    void this.#answer(request);
  }

  async #answer([buffer, offset, length, position, callback]: ReadRequest): Promise<void> {
    try {
      if (position + length > this.#size) throw new Error("unexpected end of file");
      callback(null, (await readExactly(this.#reader, position, length)).copy(buffer, offset));
    } catch (error) {
      callback(error as Error);
    }
  }
}

async function readExactly(reader: SpoolReader, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) at += (await reader.read(offset + at, length - at)).copy(bytes, at);
  return bytes;
}

function outOfFile(entry: Entry): CodedError {
  return new CodedError("ArchiveInvalid", `the zip file ends before its entry ${quote(entry.fileName)}`);
}

function wrongSize(entry: Entry): CodedError {
  return new CodedError(
    "ArchiveInvalid",
    `the zip file's entry ${quote(entry.fileName)} is not as long as the directory says`,
  );
}

/** yauzl throws plain errors; those about names say so in their first words. */
function explain(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof Error && "syscall" in error) return storageFailed(error);
  const isName = /^(?:absolute path|invalid relative path|invalid characters)/.test(messageOf(error));
  return new CodedError(
    isName ? "ArchiveUnsafePath" : "ArchiveInvalid",
    `the zip file cannot be read: ${quote(messageOf(error))}`,
    { cause: error },
  );
}
