import { open, type FileHandle } from "node:fs/promises";
import { CodedError } from "../errors.ts";

/** How much may wait to be written before `write` asks the caller to wait; also the size of one write. With more, V8 takes the pieces for old. */
const batchBytes = 256 * 1024;
const readBytes = 1024 * 1024;
/** IOV_MAX on Linux. */
const maxPieces = 1024;

/** Writes a file in large pieces: while one is being written the next one gathers, and nothing more. */
export class SpoolWriter {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #used: ((piece: Buffer) => void) | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: CodedError | undefined;
  #size = 0;
  #written = 0;

  private constructor(path: string, file: FileHandle, used: ((piece: Buffer) => void) | undefined) {
    this.path = path;
    this.#file = file;
    this.#used = used;
  }

  /**
   * Creates `path`, which must not exist.
   * @param used is given each piece once it is in the file
   * @throws StorageFailed
   */
  static async create(path: string, used?: (piece: Buffer) => void): Promise<SpoolWriter> {
    try {
      return new SpoolWriter(path, await open(path, "wx", 0o600), used);
    } catch (error) {
      throw storageFailed(error);
    }
  }

  /** Bytes given to `write` so far. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that are in the file. */
  get written(): number {
    return this.#written;
  }

  /**
   * Takes `chunk`, which must not be changed afterwards. A promise means: wait for it before writing more.
   * @throws StorageFailed
   */
  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#size += chunk.length;
    if (this.#pendingBytes < batchBytes && this.#pending.length < maxPieces) return undefined;
    const drained = this.#drain();
    // Whoever awaits it learns of a failure; it must not end the process while the caller is busy elsewhere.
    drained.catch(() => undefined);
    return drained;
  }

  /** Writes what is left and closes the file. @throws StorageFailed */
  async close(): Promise<void> {
    try {
      await this.#drain();
      await this.#writing;
    } catch (error) {
      await this.#file.close().catch(() => undefined);
      throw error;
    }
    if (this.#failure !== undefined) {
      await this.#file.close().catch(() => undefined);
      throw this.#failure;
    }
    await this.#file.close().catch((error: unknown) => Promise.reject(storageFailed(error)));
  }

  /** Closes the file after a failure elsewhere; what is in it does not matter any more. */
  async abandon(): Promise<void> {
    this.#pending = [];
    await this.#writing?.catch(() => undefined);
    await this.#file.close().catch(() => undefined);
  }

  /** Waits for the write under way, then starts the next one without waiting for it. */
  async #drain(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pending.length === 0) return;
    const pieces = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#writing = this.#writeAll(pieces, bytes).catch((error: unknown) => {
      this.#failure = storageFailed(error);
    });
  }

  async #writeAll(pieces: Buffer[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.#file.writev(pieces);
    if (bytesWritten < bytes) {
      // A short write: a full disk accepts part of the bytes before it says ENOSPC.
      const rest = Buffer.concat(pieces).subarray(bytesWritten);
      for (let at = 0; at < rest.length;) at += (await this.#file.write(rest, at)).bytesWritten;
    }
    this.#written += bytes;
    if (this.#used !== undefined) pieces.forEach(this.#used);
  }
}

/** Reads ranges of one file, ahead where they follow each other. */
export class SpoolReader {
  readonly #path: string;
  #file: FileHandle | undefined;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;
  #lastEnd = -1;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The bytes from `offset` on: at least one and at most `length`. Valid until the next call.
   * @throws StorageFailed, also where the file ends before `offset`
   */
  async read(offset: number, length: number): Promise<Buffer> {
    const isInside = offset >= this.#start && offset < this.#start + this.#window.length;
    if (!isInside) await this.#fill(offset, length);
    const from = offset - this.#start;
    const piece = this.#window.subarray(from, Math.min(from + length, this.#window.length));
    this.#lastEnd = offset + piece.length;
    return piece;
  }

  /** All the bytes from `offset` to `offset + length`, if they are in memory. Valid until the next `read`. */
  peek(offset: number, length: number): Buffer | undefined {
    const from = offset - this.#start;
    if (from < 0 || from + length > this.#window.length) return undefined;
    this.#lastEnd = offset + length;
    return this.#window.subarray(from, from + length);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#window = Buffer.alloc(0);
  }

  async #fill(offset: number, length: number): Promise<void> {
    // Far from the last read: this is not a sequence, so read only what was asked for.
    const isNear = this.#lastEnd >= 0 && offset >= this.#lastEnd && offset - this.#lastEnd < readBytes;
    const want = isNear ? readBytes : Math.min(length, readBytes);
    const buffer =
      this.#window.buffer.byteLength >= readBytes
        ? Buffer.from(this.#window.buffer)
        : Buffer.allocUnsafeSlow(readBytes);
    try {
      this.#file ??= await open(this.#path, "r");
      const { bytesRead } = await this.#file.read(buffer, 0, want, offset);
      if (bytesRead === 0) throw new Error(`the scratch file ends before byte ${offset}`);
      this.#window = buffer.subarray(0, bytesRead);
      this.#start = offset;
    } catch (error) {
      throw storageFailed(error);
    }
  }
}

/** Any failure of the scratch directory: a full disk, a quota, a read-only or vanished volume. */
export function storageFailed(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const reason = error instanceof Error && "code" in error ? String(error.code) : "an unexpected error";
  const advice = reason === "ENOSPC" || reason === "EDQUOT" ? "; free space or give the storage a larger volume" : "";
  return new CodedError("StorageFailed", `the scratch directory failed with ${reason}${advice}`, { cause: error });
}
