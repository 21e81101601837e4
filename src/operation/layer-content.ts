import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { headBytes, sniff, type Content } from "../archive/sniff.ts";
import { SpoolWriter, storageFailed } from "../archive/spool.ts";
import { YoungBuffers } from "../archive/young-buffers.ts";
import { algorithmOf, sha256Stream } from "../oci/digest.ts";
import type { Digest, Layer } from "../oci/types.ts";
import type { OperationIO } from "./operation.ts";

/** A layer as it came, in a scratch file. */
export interface SpooledLayer {
  readonly path: string;
  /** sha256, also where the layer's own digest is of another algorithm. */
  readonly digest: Digest;
  readonly size: number;
}

/**
 * The verified bytes of a layer; progress is reported on the way.
 * @throws what the fetcher throws
 */
export async function* layerBytes(layer: Layer, { fetcher, signal, onBytes }: OperationIO): AsyncGenerator<Buffer> {
  const stream = await fetcher.fetch(layer.descriptor, signal);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      onBytes?.(layer, chunk.length);
      yield chunk;
    }
  } finally {
    stream.destroy();
  }
}

/**
 * Downloads a layer to a numbered scratch file.
 * @param look is shown every chunk on its way
 * @throws StorageFailed, what the fetcher throws
 */
export async function spoolLayer(
  layer: Layer,
  index: number,
  io: OperationIO,
  look?: (chunk: Buffer) => Promise<void>,
): Promise<SpooledLayer> {
  const path = join(io.dir, `layer-${index}`);
  const { digest, size } = layer.descriptor;
  const hash = algorithmOf(digest) === "sha256" ? undefined : sha256Stream();
  const spool = await SpoolWriter.create(path);
  const young = new YoungBuffers();
  try {
    for await (const chunk of layerBytes(layer, io)) {
      hash?.update(chunk);
      const written = spool.write(chunk);
      // The disk works while the chunk is looked at.
      await look?.(chunk);
      await written;
      young.add(chunk.length);
    }
  } catch (error) {
    await spool.abandon();
    throw error;
  }
  await spool.close();
  return { path, digest: hash?.digest() ?? digest, size };
}

/** Tells what a scratch file holds, and its first bytes. @throws StorageFailed */
export async function sniffFile(path: string): Promise<{ content: Content; head: Buffer }> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
      const head = buffer.subarray(0, bytesRead);
      return { content: await sniff(head), head };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw storageFailed(error);
  }
}

/** The content of a file of ours, in chunks of 256 KiB. */
export function readFileChunks(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: 256 * 1024 });
}
