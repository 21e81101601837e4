import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { createFile } from "./place.ts";

/** Files to write, in columns: they pass from thread to thread, and an object for each would take longer. */
export interface FileBatch {
  readonly root: string;
  /** Below the root. Their directories are there, and are no symlinks. */
  readonly paths: readonly string[];
  /** Scratch files. */
  readonly sources: readonly string[];
  /** For each path: which source holds it, where it begins there, its size, and 1 if it is executable. */
  readonly ranges: Float64Array;
}

export const RANGE_COLUMNS = 4;

/** Small files lie side by side: so many bytes are read at once. */
const WINDOW_BYTES = 256 * 1024;

/**
 * Writes files, synchronously: a small one is done before the thread pool would have said so.
 * @throws ArchiveUnsafePath where something else than a file is in the way; what the file system throws
 */
export function writeFiles({ root, paths, sources, ranges }: FileBatch): void {
  const reader = new RangeReader();
  try {
    for (const [index, path] of paths.entries()) {
      const [source, offset, size, executable] = ranges.subarray(index * RANGE_COLUMNS) as unknown as readonly [number, number, number, number];
      reader.use(sources[source]!);
      writeOne(createFile(`${root}/${path}`, executable === 1), reader, { offset, size });
    }
  } finally {
    reader.close();
  }
}

function writeOne(file: number, reader: RangeReader, { offset, size }: { readonly offset: number; readonly size: number }): void {
  try {
    for (let at = 0; at < size; ) {
      const piece = reader.read(offset + at, size - at);
      for (let written = 0; written < piece.length; ) written += writeSync(file, piece, written);
      at += piece.length;
    }
  } finally {
    closeSync(file);
  }
}

/** Reads ranges of scratch files, of which one is open. */
class RangeReader {
  readonly #buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  #path: string | undefined;
  #file: number | undefined;
  /** What the buffer holds of the file. */
  #start = 0;
  #end = 0;

  use(path: string): void {
    if (path === this.#path) return;
    this.close();
    this.#file = openSync(path, "r");
    this.#path = path;
    this.#start = this.#end = 0;
  }

  /** At least one byte and at most `length`; valid until the next call. */
  read(offset: number, length: number): Buffer {
    if (offset < this.#start || offset + Math.min(length, WINDOW_BYTES) > this.#end) this.#fill(offset);
    return this.#buffer.subarray(offset - this.#start, Math.min(offset + length, this.#end) - this.#start);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #fill(offset: number): void {
    const bytes = readSync(this.#file!, this.#buffer, 0, WINDOW_BYTES, offset);
    if (bytes === 0) throw new Error(`the scratch file ends before byte ${offset}`);
    this.#start = offset;
    this.#end = offset + bytes;
  }
}
