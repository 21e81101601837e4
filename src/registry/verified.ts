import type { Readable } from "node:stream";
import { Verifier } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { givenUp } from "./errors.ts";
import { pullStream } from "./pull.ts";

/** Sockets deliver 16 to 64 KiB at a time; what decompresses and hashes them is twice as fast on larger pieces. */
export const chunkBytes = 256 * 1024;

/**
 * A stream of `chunks`, in larger pieces; destroyed with SizeMismatch or DigestMismatch, instead of ending, when they are
 * not what the descriptor says.
 *
 * @param close lets go of the source, also when nobody has read from the stream
 */
export function verifiedStream(
  chunks: AsyncIterable<Buffer>,
  descriptor: Descriptor,
  source: { signal: AbortSignal; close: () => void },
): Readable {
  const stop = (): void => void stream.destroy(givenUp(source.signal));
  const stream = pullStream(verified(chunks, descriptor), chunkBytes, () => {
    source.signal.removeEventListener("abort", stop);
    source.close();
  });
  source.signal.addEventListener("abort", stop, { once: true });
  return stream;
}

/** The last piece is passed on only when all of them are what the descriptor says. */
async function* verified(chunks: AsyncIterable<Buffer>, descriptor: Descriptor): AsyncGenerator<Buffer> {
  const verifier = new Verifier(descriptor);
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    verifier.update(chunk);
    held.push(chunk);
    size += chunk.length;
    if (size < chunkBytes || verifier.bytes === descriptor.size) continue;
    yield held.length === 1 ? chunk : Buffer.concat(held, size);
    held = [];
    size = 0;
  }
  verifier.finish();
  if (size > 0) yield Buffer.concat(held, size);
}
