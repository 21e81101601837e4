import { Readable } from "node:stream";
import type { Fetcher } from "../oci/content.ts";
import { parseDocument, settledBy } from "../oci/fetch-all.ts";
import type { Descriptor, Index, Manifest } from "../oci/types.ts";

/** A manifest or index as it is stored, and what it says. */
export interface StoredDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  readonly content: Manifest | Index;
}

/** Reads a manifest or index; the repository caps its size. @throws NotFound, ManifestInvalid, … */
export async function fetchDocument(
  repository: Fetcher,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await repository.fetch(descriptor, signal)) as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const content = parseDocument(bytes, descriptor, descriptor.digest);
  return { descriptor: settledBy(descriptor, bytes, content), bytes, content };
}

/** Content that is asked for when it is read. What an upload has had already is read over again, so that all of it is verified. */
export function fetchLater(repository: Fetcher, descriptor: Descriptor, offset: number, signal: AbortSignal): Readable {
  async function* chunks(): AsyncGenerator<Buffer> {
    let position = 0;
    for await (const chunk of (await repository.fetch(descriptor, signal)) as AsyncIterable<Buffer>) {
      const skipped = Math.min(chunk.length, Math.max(0, offset - position));
      position += chunk.length;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** The same bytes, each chunk told of as it passes. */
export function counted(content: Readable, onBytes: (bytes: number) => void): Readable {
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      onBytes(chunk.length);
      yield chunk;
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** Small content that is at hand. */
export function bytesFrom(bytes: Buffer, offset = 0): Readable {
  return Readable.from([bytes.subarray(offset)], { objectMode: false });
}
