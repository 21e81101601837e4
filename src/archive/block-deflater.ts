import type { TransformOptions } from "node:stream";
import { constants, createDeflateRaw, type DeflateRaw, type ZlibOptions } from "node:zlib";
import { outputBytes } from "./output-buffers.ts";

export interface DeflateOptions {
  readonly level: number;
  readonly strategy: number;
}

const streamOptions: ZlibOptions & Pick<TransformOptions, "readableObjectMode" | "readableHighWaterMark"> = {
  chunkSize: outputBytes,
  // Each block ends at a byte, and nothing ends the stream.
  flush: constants.Z_SYNC_FLUSH,
  // Pieces are taken as they are, for joined ones are copied; a block makes fewer than this.
  readableObjectMode: true,
  readableHighWaterMark: 1024,
};

/**
 * Compresses one block after another on the thread pool, each as if it were the only one. It keeps zlib's state, which takes a quarter of a
 * megabyte to set up.
 */
export class BlockDeflater {
  readonly #engine: DeflateRaw;

  constructor(options: DeflateOptions) {
    this.#engine = createDeflateRaw({ ...streamOptions, ...options });
    // The callback of `write` is told of it.
    this.#engine.on("error", () => undefined);
  }

  /** One block at a time. @returns its compressed form, in pieces that are the caller's */
  deflate(block: Buffer): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      this.#engine.write(block, (error) => {
        if (error) return reject(error);
        const pieces: Buffer[] = [];
        for (let piece = this.#next(); piece !== null; piece = this.#next()) pieces.push(piece);
        this.#engine.reset();
        resolve(pieces);
      });
    });
  }

  close(): void {
    this.#engine.destroy();
  }

  #next(): Buffer | null {
    return this.#engine.read() as Buffer | null;
  }
}
