import { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import { Verifier } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { Download } from "./download.ts";
import { abortError } from "./errors.ts";
import type { Session } from "./session.ts";

/** Sockets deliver 16 to 64 KiB at a time; what decompresses and hashes them is twice as fast on larger pieces. */
const chunkBytes = 256 * 1024;

/**
 * A stream of the blob's bytes, verified; destroyed with SizeMismatch or DigestMismatch when they are others.
 *
 * @throws SizeMismatch, NotFound, Unauthorized, …
 */
export async function fetchBlob(session: Session, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
  const { maxLayerBytes } = session.access.limits;
  if (descriptor.size > maxLayerBytes) {
    throw new CodedError("SizeMismatch", `${session.name}@${descriptor.digest} has ${descriptor.size} bytes; at most ${maxLayerBytes} are read`);
  }
  const download = await Download.open(session, descriptor, signal);
  const stream = Readable.from(verified(download.bytes(), descriptor), { objectMode: false, highWaterMark: chunkBytes });
  const stop = (): void => void stream.destroy(abortError(signal));
  signal.addEventListener("abort", stop, { once: true });
  // A stream that nobody has read from has not started the generator, which could else let go of the connection.
  return stream.once("close", () => {
    signal.removeEventListener("abort", stop);
    download.close();
  });
}

/** Larger pieces of the same bytes; the last is passed on only when all of them are what the descriptor says. */
async function* verified(chunks: AsyncIterable<Buffer>, descriptor: Descriptor): AsyncGenerator<Buffer> {
  const verifier = new Verifier(descriptor);
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    verifier.update(chunk);
    held.push(chunk);
    size += chunk.length;
    if (size < chunkBytes || verifier.bytes === descriptor.size) continue;
    yield Buffer.concat(held, size);
    held = [];
    size = 0;
  }
  verifier.finish();
  if (size > 0) yield Buffer.concat(held, size);
}
