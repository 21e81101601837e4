import { SpoolReader } from "./spool.ts";

/** Each open reader holds a descriptor and up to 1 MiB. */
const maxOpen = 8;

/** Readers of several scratch files, of which only the last few used stay open: an artifact may have a thousand layers. */
export class SpoolReaders {
  readonly #open = new Map<string, SpoolReader>();

  /** As `SpoolReader.read`, of the file at `path`. */
  async read(path: string, offset: number, length: number): Promise<Buffer> {
    const reader = this.#open.get(path) ?? new SpoolReader(path);
    this.#open.delete(path);
    this.#open.set(path, reader);
    if (this.#open.size > maxOpen) await this.#closeOldest();
    return reader.read(offset, length);
  }

  /** As `SpoolReader.peek`. */
  peek(path: string, offset: number, length: number): Buffer | undefined {
    return this.#open.get(path)?.peek(offset, length);
  }

  async close(): Promise<void> {
    const readers = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  async #closeOldest(): Promise<void> {
    for (const [path, reader] of this.#open) {
      this.#open.delete(path);
      return reader.close();
    }
  }
}
