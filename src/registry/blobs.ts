import type { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import type { Descriptor } from "../oci/types.ts";
import { Download } from "./download.ts";
import type { Session } from "./session.ts";
import { verifiedStream } from "./verified.ts";

/**
 * A stream of the blob's bytes, verified.
 *
 * @throws SizeMismatch, NotFound, Unauthorized, …
 */
export async function fetchBlob(session: Session, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
  const { maxLayerBytes } = session.access.limits;
  if (descriptor.size > maxLayerBytes) {
    throw new CodedError(
      "SizeMismatch",
      `${session.name}@${descriptor.digest} has ${descriptor.size} bytes; at most ${maxLayerBytes} are read`,
    );
  }
  const download = await Download.open(session, descriptor, signal);
  return verifiedStream(download.bytes(), descriptor, { signal, close: () => download.close() });
}
