import { parentOf } from "../archive/path.ts";
import type { FileEntry } from "../archive/tree.ts";
import { rangeColumns, type FileBatch } from "./write-files.ts";

/** How many files a batch has at most: handing it to a thread costs as much as to write a few. */
const maxFiles = 512;
/** With so many a batch ends where the directory does. */
const minFiles = 64;
/** A thread is busy with one batch of large files no longer than with one of small ones. */
const maxBytes = 8 * 1024 * 1024;

export interface NamedFile {
  readonly path: string;
  readonly entry: FileEntry;
}

interface Gathered {
  readonly files: NamedFile[];
  bytes: number;
  written: () => number;
}

/** Gathers files in batches: neighbours in a scratch file, and mostly in a directory. */
export class FileBatches {
  readonly #root: string;
  /** By scratch file. */
  readonly #gathering = new Map<string, Gathered>();
  #full: Gathered[] = [];
  #files = 0;
  #bytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** How many files have not been taken. */
  get files(): number {
    return this.#files;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param written says how many bytes of the scratch file are there; all of them, unless stated
   * @returns whether a batch has become full
   */
  add(file: NamedFile, written = everything): boolean {
    const { body } = file.entry;
    this.#files += 1;
    this.#bytes += body.size;
    const before = this.#gathering.get(body.file);
    const isFull = before !== undefined && isFullBefore(before, file);
    const gathered = before === undefined || isFull ? { files: [], bytes: 0, written } : before;
    if (isFull) this.#full.push(before);
    if (gathered !== before) this.#gathering.set(body.file, gathered);
    gathered.files.push(file);
    gathered.bytes += body.size;
    return isFull;
  }

  /** Full batches whose bytes are all there. */
  takeReady(): FileBatch[] {
    const ready = this.#full.filter(isThere);
    this.#full = this.#full.filter((gathered) => !ready.includes(gathered));
    return ready.map((gathered) => this.#take(gathered));
  }

  /** Everything: the scratch files are complete. */
  takeAll(): FileBatch[] {
    const all = [...this.#full, ...this.#gathering.values()];
    this.#full = [];
    this.#gathering.clear();
    return all.map((gathered) => this.#take(gathered));
  }

  #take({ files, bytes }: Gathered): FileBatch {
    this.#files -= files.length;
    this.#bytes -= bytes;
    const ranges = new Float64Array(files.length * rangeColumns);
    let at = 0;
    for (const { entry } of files) {
      ranges[at++] = entry.body.offset;
      ranges[at++] = entry.body.size;
      ranges[at++] = entry.executable ? 1 : 0;
    }
    return { root: this.#root, paths: files.map(({ path }) => path), source: files[0]!.entry.body.file, ranges };
  }
}

function everything(): number {
  return Infinity;
}

function isFullBefore({ files, bytes }: Gathered, next: NamedFile): boolean {
  if (files.length >= maxFiles || bytes >= maxBytes) return true;
  return files.length >= minFiles && parentOf(files.at(-1)!.path) !== parentOf(next.path);
}

function isThere({ files, written }: Gathered): boolean {
  const { offset, size } = files.at(-1)!.entry.body;
  return offset + size <= written();
}
