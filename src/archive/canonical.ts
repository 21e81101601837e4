import { blockBytes, encodeHeader, paddingOf } from "./header.ts";

const zeros = Buffer.alloc(2 * blockBytes);

/** Takes a full block of output and returns a buffer of the same size to fill next, which may be the same one. */
export type BlockSink = (block: Buffer) => Buffer;

/** Writes the canonical tar: whoever calls it brings the entries in byte order of their paths. */
export class CanonicalTar {
  readonly #sink: BlockSink;
  #block: Buffer;
  #used = 0;

  constructor(first: Buffer, sink: BlockSink) {
    this.#block = first;
    this.#sink = sink;
  }

  directory(path: string): void {
    const header = encodeHeader({ path, kind: "dir", executable: false, size: 0 });
    this.#append(header, 0, header.length);
  }

  /** Begins a file; exactly `size` bytes of `data` follow, then `endFile`. */
  file(path: string, size: number, executable: boolean): void {
    const header = encodeHeader({ path, kind: "file", executable, size });
    this.#append(header, 0, header.length);
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#append(chunk, start, end);
  }

  endFile(size: number): void {
    this.#append(zeros, 0, paddingOf(size));
  }

  /** Two blocks of zeros; returns what is left over after the last full block. */
  finish(): Buffer {
    this.#append(zeros, 0, zeros.length);
    return this.#block.subarray(0, this.#used);
  }

  #append(source: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) {
      const take = Math.min(end - at, this.#block.length - this.#used);
      source.copy(this.#block, this.#used, at, at + take);
      this.#used += take;
      at += take;
      if (this.#used === this.#block.length) {
        this.#block = this.#sink(this.#block);
        this.#used = 0;
      }
    }
  }
}
