import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CodedError } from "../errors.ts";
import type { Digest } from "../oci/types.ts";
import { isFresh, parseRange, type ByteRange } from "./byte-range.ts";
import { openRegularFile } from "../store/state.ts";

const chunkBytes = 256 * 1024;

/** Bytes to answer with, open for reading until they are sent or `close` is called. */
export interface Content {
  readonly size: number;
  readonly digest: Digest;
  readonly headers: OutgoingHttpHeaders;
  /** @param range at least one byte */
  read(range: ByteRange): Readable;
  close(): Promise<void>;
}

export function memoryContent(bytes: Buffer, digest: Digest, headers: OutgoingHttpHeaders): Content {
  return {
    size: bytes.length,
    digest,
    headers,
    read: ({ start, end }) => Readable.from([bytes.subarray(start, end)], { objectMode: false }),
    close: async () => {},
  };
}

/** The content of a file; it stays whole when the file is deleted meanwhile. Undefined where there is none. */
export async function fileContent(
  path: string,
  digest: Digest,
  headers: OutgoingHttpHeaders,
): Promise<Content | undefined> {
  const file = await openRegularFile(path);
  if (file === undefined) return undefined;
  const { handle, size, mtime } = file;
  return {
    size,
    digest,
    headers: { "last-modified": mtime.toUTCString(), ...headers },
    read: ({ start, end }) =>
      handle.createReadStream({ start, end: end - 1, highWaterMark: chunkBytes, autoClose: false }),
    close: () => handle.close(),
  };
}

/** Answers GET and HEAD as RFC 9110 says: If-None-Match, Range, If-Range. Closes `content`. */
export async function sendContent(request: IncomingMessage, response: ServerResponse, content: Content): Promise<void> {
  try {
    const etag = `"${content.digest}"`;
    const head = { ...content.headers, etag, "accept-ranges": "bytes", "x-content-type-options": "nosniff" };
    if (isFresh(request.headers["if-none-match"], etag)) response.writeHead(304, head).end();
    else await sendBytes(request, response, { content, head });
  } finally {
    await content.close();
  }
}

async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { content, head }: { content: Content; head: OutgoingHttpHeaders },
): Promise<void> {
  const { size } = content;
  const range = rangeOf(request, content);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${size}`, "content-length": 0 }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: size };
  response.writeHead(range ? 206 : 200, {
    ...head,
    ...(range && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    "content-length": end - start,
  });
  if (request.method === "HEAD" || start === end) {
    response.end();
    return;
  }
  try {
    await pipeline(content.read({ start, end }), (source) => exactly(source, end - start), response);
  } catch (error) {
    // The status is out: only the broken connection, which pipeline leaves, tells the client that this is not all.
    if (!isGone(error)) throw error;
  }
}

/** A file that has become shorter must not pass for a whole one. */
async function* exactly(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const chunk of source) {
    sent += chunk.length;
    yield chunk;
  }
  if (sent !== size) throw new CodedError("SizeMismatch", `a stored file ended ${size - sent} bytes early`);
}

/** The part that is asked for. If-Range compares strongly; a date never matches, and the whole is sent. */
function rangeOf({ method, headers }: IncomingMessage, { size, digest }: Content): ReturnType<typeof parseRange> {
  const ifRange = headers["if-range"];
  const applies = method === "GET" && (ifRange === undefined || ifRange === `"${digest}"`);
  return applies ? parseRange(headers.range, size) : undefined;
}

/** A client that has hung up is not a failure. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    ["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE", "ERR_STREAM_DESTROYED"].includes(String(error.code))
  );
}
