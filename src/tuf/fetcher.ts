import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Fetcher } from "tuf-js";
import type { Dispatcher } from "undici";

export interface FetchOptions {
  readonly dispatcher: (url: URL) => Dispatcher;
  readonly userAgent: string;
  /** Of everything together. */
  readonly maxBytes: number;
  readonly maxRedirects: number;
  /** Where downloads may lie for a moment. */
  readonly directory: string;
  /** What tuf-js takes for the answer that there is no such file. */
  readonly HttpError: new (message: string, status: number) => Error;
}

/** Fetches files of a TUF repository, which are only believed once tuf-js has checked them. Nothing is tried twice. */
export function boundedFetcher(options: FetchOptions, signal: AbortSignal): Fetcher {
  let left = options.maxBytes;
  async function* bytesOf(url: string, maxLength: number): AsyncGenerator<Buffer> {
    let size = 0;
    for await (const chunk of (await open(new URL(url), options, signal)) as AsyncIterable<Buffer>) {
      size += chunk.length;
      left -= chunk.length;
      if (size > maxLength) throw new Error(`${url} is larger than ${maxLength} bytes`);
      if (left < 0) throw new Error(`the mirror sends more than ${options.maxBytes} bytes`);
      yield chunk;
    }
  }
  return {
    downloadBytes: async (url, maxLength) => Buffer.concat(await Array.fromAsync(bytesOf(url, maxLength))),
    downloadFile: async (url, maxLength, handler) => {
      const file = join(options.directory, "download");
      await pipeline(Readable.from(bytesOf(url, maxLength)), createWriteStream(file), { signal });
      return await handler(file);
    },
  };
}

const redirects = new Set([301, 302, 303, 307, 308]);

async function open(url: URL, options: FetchOptions, signal: AbortSignal): Promise<Readable> {
  for (let at = url, count = 0; ; count++) {
    const { statusCode, headers, body } = await options.dispatcher(at).request({
      origin: at.origin,
      path: `${at.pathname}${at.search}`,
      method: "GET",
      headers: { "user-agent": options.userAgent },
      signal,
    });
    if (statusCode === 200) return body;
    await body.dump({ limit: 64 * 1024, signal }).catch(() => undefined);
    const next =
      redirects.has(statusCode) && count < options.maxRedirects ? nextOf(at, headers["location"]) : undefined;
    if (next === undefined) throw new options.HttpError(`${nameOf(at)} answers ${statusCode}`, statusCode);
    at = next;
  }
}

/** Without its query, in which object stores have signatures. */
const nameOf = ({ origin, pathname }: URL): string => `${origin}${pathname}`;

/** Where a redirect leads. @throws for anything but HTTPS, or HTTP from HTTP */
function nextOf(from: URL, location: unknown): URL | undefined {
  if (typeof location !== "string" || !URL.canParse(location, from.href)) return undefined;
  const next = new URL(location, from.href);
  if (next.protocol === "https:" || next.protocol === from.protocol) return next;
  throw new Error(`${nameOf(from)} leads to ${next.protocol}//, which is not followed`);
}
