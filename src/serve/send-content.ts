import { read } from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Digest } from "../oci/types.ts";
import { isFresh, parseRange } from "./byte-range.ts";
import { pump, type Read } from "./pump.ts";
import { openRegularFile } from "../store/state.ts";

/** Bytes to answer with, open for reading until they are sent or `close` is called. */
export interface Content {
  readonly size: number;
  readonly digest: Digest;
  readonly headers: OutgoingHttpHeaders;
  readonly read: Read;
  close(): Promise<void>;
}

export function memoryContent(bytes: Buffer, digest: Digest, headers: OutgoingHttpHeaders): Content {
  return {
    size: bytes.length,
    digest,
    headers,
    read: (position, chunk, done) => done(null, bytes.copy(chunk, 0, position)),
    close: async () => {},
  };
}

/** A file with the content of a digest; without a size, any is right. */
export interface NamedFile {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number | undefined;
}

/**
 * The content of a file; it stays whole when the file is deleted meanwhile. Undefined where there is none, or one of another
 * size, which cannot have that digest.
 */
export async function fileContent(
  { path, digest, size: expected }: NamedFile,
  headers: OutgoingHttpHeaders,
): Promise<Content | undefined> {
  const opened = await openRegularFile(path);
  if (opened === undefined) return undefined;
  const { handle } = opened;
  const { size, mtime } = opened.file;
  if (expected !== undefined && size !== expected) {
    await handle.close();
    return undefined;
  }
  return {
    size,
    digest,
    headers: { "last-modified": mtime.toUTCString(), ...headers },
    read: (position, chunk, done) => read(handle.fd, chunk, 0, chunk.length, position, done),
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
  await pump(content.read, { start, end }, response);
}

/** The part that is asked for. If-Range compares strongly; a date never matches, and the whole is sent. */
function rangeOf({ method, headers }: IncomingMessage, { size, digest }: Content): ReturnType<typeof parseRange> {
  const ifRange = headers["if-range"];
  const applies = method === "GET" && (ifRange === undefined || ifRange === `"${digest}"`);
  return applies ? parseRange(headers.range, size) : undefined;
}
