import type { Readable } from "node:stream";
import { CodedError, type ErrorCode } from "../errors.ts";
import { networkError } from "./errors.ts";
import type { HttpResponse } from "./transport.ts";

/** The whole of a small body. @throws `code` when it is longer than `maxBytes` */
export async function readBody({ name, body }: HttpResponse, maxBytes: number, code: ErrorCode): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new CodedError(code, `${name}: the response is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw networkError(name, error);
  }
  return Buffer.concat(chunks, size);
}

/** At most the first `maxBytes` of a body, as text; for error messages, so it never fails. */
export async function readStart(body: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= maxBytes) break;
    }
  } catch {
    // The status has said enough.
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString("utf8");
}

/** Lets go of a body nobody wants; a short one is read, so that its connection can be used again. */
export async function discard(body: Readable): Promise<void> {
  await readStart(body, 65_536);
}
