import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { tarHeader } from "./tar.ts";

export const MiB = 1024 * 1024;

/** What no compression makes smaller, 1 MiB of it. */
export const noise: Buffer = randomBytes(MiB);

/** Content that is made as it is asked for, in pieces as a network brings them, and counted. */
export interface CountedSource {
  readonly chunks: AsyncGenerator<Buffer>;
  /** Bytes that were asked for so far. */
  readonly pulled: () => number;
}

export function countedSource(parts: Iterable<Buffer>, pieceBytes = 64 * 1024): CountedSource {
  let pulled = 0;
  async function* chunks(): AsyncGenerator<Buffer> {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += pieceBytes) {
        const piece = part.subarray(at, at + pieceBytes);
        pulled += piece.length;
        yield piece;
        // A turn of the event loop, as a socket would take; without it a pull that never waits would starve the test.
        await new Promise(setImmediate);
      }
    }
  }
  return { chunks: chunks(), pulled: () => pulled };
}

/** A tar with one file of so many MiB of noise, in parts that can be compressed one by one. */
export function* tarOfNoise(mebibytes: number): Generator<Buffer> {
  yield Buffer.concat([tarHeader({ name: "noise", size: mebibytes * MiB }), noise]);
  for (let made = 1; made < mebibytes; made++) yield noise;
  yield Buffer.alloc(1024);
}

/** Each part compressed by itself, equal ones once: gzip members and zstd frames may follow each other. */
export function* compressed(parts: Iterable<Buffer>, compress: (part: Buffer) => Buffer): Generator<Buffer> {
  const done = new Map<Buffer, Buffer>();
  for (const part of parts) {
    const bytes = done.get(part) ?? compress(part);
    done.set(part, bytes);
    yield bytes;
  }
}

/** The count once it has grown and then stopped. A machine that is busy elsewhere makes it smaller, never larger. */
export async function settled(count: () => number): Promise<number> {
  for (let last = count(), still = 0; ;) {
    await delay(20);
    const now = count();
    still = now > 0 && now === last ? still + 1 : 0;
    if (still === 5) return now;
    last = now;
  }
}
