/** Flushes a directory once for all who have created something in it before. */
export class SharedSyncs {
  /** Those that have not begun. */
  readonly #next = new Map<string, Promise<void>>();
  readonly #last = new Map<string, Promise<void>>();
  readonly #flush: (directory: string) => Promise<void>;

  constructor(flush: (directory: string) => Promise<void>) {
    this.#flush = flush;
  }

  async sync(directory: string): Promise<void> {
    const waiting = this.#next.get(directory);
    if (waiting) return await waiting;
    const flushed = this.#after(this.#last.get(directory), directory);
    this.#next.set(directory, flushed);
    this.#last.set(directory, flushed);
    try {
      await flushed;
    } finally {
      if (this.#last.get(directory) === flushed) this.#last.delete(directory);
    }
  }

  async #after(running: Promise<void> | undefined, directory: string): Promise<void> {
    await running?.catch(() => undefined);
    this.#next.delete(directory);
    await this.#flush(directory);
  }
}
