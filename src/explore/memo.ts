import { Readable } from "node:stream";
import type { Fetcher } from "../oci/content.ts";
import { isEntered } from "./graph.ts";

/** Real artifacts have some hundred kilobytes of manifests; beyond this they are fetched again when they are asked for. */
const maxBytes = 64 * 1024 * 1024;

/** Keeps the manifests that pass through, so that looking and selecting fetch each of them once. */
export function rememberManifests(fetcher: Fetcher): Fetcher {
  const kept = new Map<string, Buffer>();
  let bytes = 0;
  return {
    fetch: async (descriptor, signal) => {
      const known = kept.get(descriptor.digest);
      if (known !== undefined && known.length === descriptor.size) return Readable.from([known]);
      const stream = await fetcher.fetch(descriptor, signal);
      if (!isEntered(descriptor) || bytes + descriptor.size > maxBytes) return stream;
      bytes += descriptor.size;
      return Readable.from(keep(stream, (content) => kept.set(descriptor.digest, content)));
    },
  };
}

async function* keep(stream: AsyncIterable<Buffer>, done: (content: Buffer) => void): AsyncGenerator<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    yield chunk;
  }
  // Only now is the content known to be that of its digest.
  done(Buffer.concat(chunks));
}
