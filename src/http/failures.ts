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

/**
 * What really failed: an AggregateError has one cause for each address, undici wraps its own. A connect timeout of undici's is
 * what failed itself, whatever lies under it.
 */
export function rootCause(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0]);
  if (error instanceof Error && error.cause instanceof Error && causeCode(error) !== "UND_ERR_CONNECT_TIMEOUT")
    return rootCause(error.cause);
  return error;
}

/** Whether a certificate was refused because nobody trusts who has signed it. */
export function isUntrusted(code: string): boolean {
  return /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code);
}
