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

/** Whether a GET would be answered, as far as the registry says: what it will not say, it does not offer. */
export async function offersBlob(session: Session, { digest }: Descriptor, signal: AbortSignal): Promise<boolean> {
  const request = { method: "HEAD", path: `blobs/${digest}`, needs: "pull", accept: "settled" } as const;
  return (await session.ask(request, signal)).status === 200;
}
