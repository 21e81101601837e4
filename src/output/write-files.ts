import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { createFile } from "./place.ts";

/** Files to write, in columns: they pass from thread to thread, and an object for each would take longer. */
export interface FileBatch {
  readonly root: string;
  /** Below the root. Their directories are there, and are not symlinks. */
  readonly paths: readonly string[];
  /** The scratch file that holds them. */
  readonly source: string;
  /** For each path: where it begins in the source, its size, and 1 if it is executable. */
  readonly ranges: Float64Array<ArrayBuffer>;
}

export const rangeColumns = 3;

/** Small files lie side by side: so many bytes are read at once. */
const windowBytes = 256 * 1024;

/**
 * Writes files, synchronously: a small one is done before the thread pool would have said so.
 * @throws ArchiveUnsafePath where something else than a file is in the way; what the file system throws
 */
export function writeFiles({ root, paths, source, ranges }: FileBatch): void {
  const reader = new RangeReader(source);
  try {
    for (const [index, path] of paths.entries()) {
      const at = index * rangeColumns;
      writeOne(createFile(`${root}/${path}`, ranges[at + 2] === 1), reader, {
        offset: ranges[at]!,
        size: ranges[at + 1]!,
      });
    }
  } finally {
    reader.close();
  }
}

function writeOne(
  file: number,
  reader: RangeReader,
  { offset, size }: { readonly offset: number; readonly size: number },
): void {
  try {
    for (let at = 0; at < size;) {
      const piece = reader.read(offset + at, size - at);
      for (let written = 0; written < piece.length;) written += writeSync(file, piece, written);
      at += piece.length;
    }
  } finally {
    closeSync(file);
  }
}

/** Reads ranges of a file that follow each other. */
class RangeReader {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafeSlow(windowBytes);
  /** What the buffer holds of the file. */
  #start = 0;
  #end = 0;

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** At least one byte and at most `length`; valid until the next call. */
  read(offset: number, length: number): Buffer {
    if (offset < this.#start || offset + Math.min(length, windowBytes) > this.#end) this.#fill(offset);
    return this.#buffer.subarray(offset - this.#start, Math.min(offset + length, this.#end) - this.#start);
  }

  close(): void {
    closeSync(this.#file);
  }

  #fill(offset: number): void {
    const bytes = readSync(this.#file, this.#buffer, 0, windowBytes, offset);
    if (bytes === 0) throw new Error(`the scratch file ends before byte ${offset}`);
    this.#start = offset;
    this.#end = offset + bytes;
  }
}
