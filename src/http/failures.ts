import type { Readable } from "node:stream";
import { CodedError } from "../errors.ts";

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

/** The HTTP status that an error reports; 0 where it is about something else. */
export function statusOf(error: unknown): number {
  return error instanceof CodedError ? Number(error.details?.["status"] ?? 0) : 0;
}

/** What Node.js and undici call a failure, such as ECONNREFUSED; "" where it has no such name. */
export function causeCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
