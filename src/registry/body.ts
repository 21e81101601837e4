import type { Readable } from "node:stream";
import { CodedError, type ErrorCode } from "../errors.ts";
import { readStart } from "../http/failures.ts";
import { networkError } from "./errors.ts";
import type { HttpResponse } from "./http-message.ts";

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

/** Lets go of a body nobody wants; a short one is read, so that its connection can be used again. */
export async function discard(body: Readable): Promise<void> {
  await readStart(body, 65_536);
}
