import type { Transform } from "node:stream";
import { constants, createGunzip, createInflateRaw, createZstdDecompress } from "node:zlib";
import { CodedError, messageOf } from "../errors.ts";
import { outputBytes } from "./output-buffers.ts";
import { YoungBuffers } from "./young-buffers.ts";

/** Takes the next bytes; a promise means: wait for it before the next. */
export type ChunkSink = (chunk: Buffer) => Promise<void> | undefined;

export type Compression = "gzip" | "zstd" | "none";

const minChunkBytes = 1024;
/** A window of 32 MiB: all that zstd asks for below level 22 without --long. */
const zstdWindowLog = 25;
/** Each frame costs a decompressor of its own. */
const maxZstdFrames = 65_536;

const engineOptions = { chunkSize: outputBytes, readableHighWaterMark: 2 * outputBytes };

/**
 * Decompresses `source` into `sink`: gzip with any number of members and zeros after them, zstd with any number of frames, or nothing at all.
 *
 * @throws ArchiveInvalid for broken, truncated or trailing data
 * @throws ArchiveUnsupported for a zstd window above 32 MiB; whatever the sink throws
 */
export async function decompress(
  compression: Compression,
  source: AsyncIterable<Buffer>,
  sink: ChunkSink,
): Promise<void> {
  if (compression === "none") {
    for await (const chunk of source) await sink(chunk);
  } else if (compression === "gzip") {
    await gunzip(source, sink);
  } else {
    await unzstd(source, sink);
  }
}

async function gunzip(source: AsyncIterable<Buffer>, sink: ChunkSink): Promise<void> {
  const member = new Member(createGunzip(engineOptions), sink);
  let hasEnded = false;
  try {
    for await (const chunk of source) {
      const used: number = hasEnded ? 0 : await member.write(chunk);
      hasEnded ||= used < chunk.length;
      if (hasEnded) checkPadding(chunk.subarray(used));
    }
    if (!hasEnded) await member.end();
  } finally {
    member.destroy();
  }
}

/** Tapes and block devices pad a stream with zeros; gzip, and Go's reader of a tar, pass over them. */
function checkPadding(rest: Buffer): void {
  if (rest.some((byte) => byte !== 0))
    throw new CodedError("ArchiveInvalid", "there is data after the end of the gzip stream");
}

async function unzstd(source: AsyncIterable<Buffer>, sink: ChunkSink): Promise<void> {
  const frames = new ZstdFrames(sink);
  try {
    for await (const chunk of source) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(await frames.write(rest));
    }
    await frames.end();
  } finally {
    frames.destroy();
  }
}

/** Node's decompressor stops at the end of a frame; the next one needs a new one. */
class ZstdFrames {
  readonly #sink: ChunkSink;
  #frame: Member | undefined;
  #count = 0;

  constructor(sink: ChunkSink) {
    this.#sink = sink;
  }

  /** Returns how many bytes the current frame took: call again with the rest. */
  async write(bytes: Buffer): Promise<number> {
    this.#frame ??= this.#open();
    const used = await this.#frame.write(bytes);
    if (used < bytes.length) this.destroy();
    return used;
  }

  async end(): Promise<void> {
    await this.#frame?.end();
  }

  destroy(): void {
    this.#frame?.destroy();
    this.#frame = undefined;
  }

  #open(): Member {
    if (++this.#count > maxZstdFrames)
      throw new CodedError("ArchiveUnsupported", `the zstd stream has more than ${maxZstdFrames} frames`);
    return new Member(
      createZstdDecompress({ ...engineOptions, params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } }),
      this.#sink,
    );
  }
}

/**
 * One deflate stream without the gzip frame around it.
 * @param expectedBytes of output, where they are known: a small stream then takes small buffers
 */
export function inflateMember(sink: ChunkSink, expectedBytes = outputBytes): Member {
  const chunkSize = Math.max(minChunkBytes, Math.min(outputBytes, expectedBytes));
  return new Member(createInflateRaw({ ...engineOptions, chunkSize }), sink);
}

type Engine = Transform & { readonly bytesWritten: number };

/**
 * One run of a decompressor. A piece of output is given to the sink while the thread pool works on the next one.
 * Failures of the engine and of the sink come out of `write` and `end`.
 */
export class Member {
  readonly #engine: Engine;
  readonly #ended: Promise<void>;
  readonly #rejectEnded: (error: unknown) => void;
  readonly #buffers = new YoungBuffers();
  /** The piece that the sink has got last; never rejects. */
  #delivered: Promise<void> = Promise.resolve();
  #failWrite: ((error: unknown) => void) | undefined;
  #failure: unknown;
  #fed = 0;

  constructor(engine: Engine, sink: ChunkSink) {
    this.#engine = engine;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ended = promise;
    this.#rejectEnded = reject;
    // The failure is for whoever calls next; nobody may be waiting when it happens.
    promise.catch(() => undefined);
    // The stream ends as soon as it has given its last piece away, paused or not.
    engine.on("end", () => void this.#delivered.then(resolve));
    engine.on("error", (error) => this.#fail(explain(error)));
    engine.on("data", (chunk: Buffer) => {
      engine.pause();
      this.#delivered = this.#deliver(chunk, sink);
    });
  }

  /** Input that belonged to this member so far, in bytes. */
  get consumed(): number {
    return this.#engine.bytesWritten;
  }

  /** Feeds `chunk` and returns how many of its bytes belonged to the member: fewer than all mean that it has ended. */
  async write(chunk: Buffer): Promise<number> {
    if (this.#failure !== undefined) throw this.#failure;
    const before = this.consumed;
    this.#fed += chunk.length;
    await new Promise<void>((resolve, reject) => {
      this.#failWrite = reject;
      this.#engine.write(chunk, (error) => (error ? reject(explain(error)) : resolve()));
    });
    if (this.consumed < this.#fed) await this.#ended;
    return this.consumed - before;
  }

  /** Says that no more input comes. Rejects where the member is not complete. */
  async end(): Promise<void> {
    this.#engine.end();
    await this.#ended;
  }

  destroy(): void {
    this.#engine.destroy();
  }

  async #deliver(chunk: Buffer, sink: ChunkSink): Promise<void> {
    try {
      // Lets the engine start on the next piece before this one is looked at.
      await Promise.resolve();
      if (this.#failure !== undefined) return;
      await sink(chunk);
      // Empty where the sink has released it.
      this.#buffers.add(chunk.length);
      this.#engine.resume();
    } catch (error) {
      this.#fail(error);
      this.#engine.destroy();
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#rejectEnded(this.#failure);
    this.#failWrite?.(this.#failure);
  }
}

function explain(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof Error && "code" in error && String(error.code).includes("windowTooLarge")) {
    return new CodedError(
      "ArchiveUnsupported",
      "the zstd stream needs a window above 32 MiB; compress it without --ultra and --long",
      { cause: error },
    );
  }
  return new CodedError("ArchiveInvalid", `the compressed data cannot be read: ${messageOf(error)}`, { cause: error });
}
