import type { Readable } from "node:stream";
import { unlessAborted } from "../abort.ts";
import { CodedError } from "../errors.ts";
import { readStart, statusOf } from "../http-failures.ts";
import type { Clock } from "./clock.ts";
import { sleep } from "./clock.ts";
import type { Channel, Link, Traffic } from "./http-channel.ts";
import { abortError, mayRetry, networkError, retryAfterMs, statusError } from "./http-errors.ts";
import type { RateLimit } from "./http-rate-limit.ts";

export interface ExchangeOptions {
  readonly userAgent: string;
  /** For the head of an answer, and between two parts of its body. */
  readonly timeoutMs: number;
  /** The same for the body of a watch, where nothing comes for long. */
  readonly watchIdleMs: number;
  readonly retry: RetryOptions;
}

export interface RetryOptions {
  /** How often a request is sent in all. */
  readonly attempts: number;
  /** The first pause is at most this long; it doubles every time. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** A longer Retry-After is not waited for: the caller is told instead. */
  readonly maxWaitMs: number;
}

export interface Call {
  /** For messages, such as `get Secret apps/db`. */
  readonly name: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the server's own path. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: unknown;
  /** Sending it twice has the same effect as sending it once. */
  readonly repeatable: boolean;
  readonly traffic?: Traffic;
}

interface Wire {
  readonly server: URL;
  readonly channel: Channel;
  readonly limit: RateLimit;
  readonly clock: Clock;
  readonly options: ExchangeOptions;
}

/** Sends requests: at the agreed pace, with what authenticates, and again where that is safe and helps. */
export class Exchange {
  readonly #wire: Wire;
  readonly #prefix: string;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#prefix = wire.server.pathname.replace(/\/+$/, "");
  }

  /**
   * What `read` makes of a successful answer's body; a body that breaks off is asked for again.
   *
   * @throws as every method of KubeClient
   */
  async run<T>(call: Call, read: (body: Readable) => Promise<T> | T, signal: AbortSignal): Promise<T> {
    const { retry } = this.#wire.options;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#attempt(call, read, signal);
      } catch (thrown) {
        const error = networkError(call.name, thrown, signal);
        const waitMs = error.retryAfterMs ?? Math.random() * Math.min(retry.maxMs, retry.baseMs * 2 ** tried);
        if (tried >= retry.attempts || waitMs > retry.maxWaitMs || !mayRetry(error, call.repeatable)) throw error;
        await sleep(this.#wire.clock, waitMs, signal);
      }
    }
  }

  async #attempt<T>(call: Call, read: (body: Readable) => Promise<T> | T, signal: AbortSignal): Promise<T> {
    await this.#wire.limit.take(signal);
    if (signal.aborted) throw abortError(call.name, signal);
    const gaveUp = (): Error => abortError(call.name, signal);
    const link = await unlessAborted(this.#wire.channel.link(), signal, gaveUp);
    try {
      return await this.#send(call, { link, read, signal });
    } catch (error) {
      if (statusOf(error) !== 401) throw error;
    }
    // A token may be renewed before the old one was read anew.
    const renewed = await unlessAborted(this.#wire.channel.link(link), signal, gaveUp);
    return this.#send(call, { link: renewed, read, signal });
  }

  async #send<T>(call: Call, { link, read, signal }: { link: Link; read: (body: Readable) => Promise<T> | T; signal: AbortSignal }): Promise<T> {
    const { server, options } = this.#wire;
    const { traffic = "request" } = call;
    const response = await link.dispatchers[traffic].request({
      origin: server.origin,
      method: call.method,
      path: `${this.#prefix}${call.path}${queryOf(call)}`,
      headers: headersOf(call, options.userAgent, link.material.authorization),
      body: call.body === undefined ? null : JSON.stringify(call.body),
      headersTimeout: options.timeoutMs,
      bodyTimeout: traffic === "watch" ? options.watchIdleMs : options.timeoutMs,
      signal,
    });
    if (response.statusCode < 300) return read(response.body);
    const wait = response.headers["retry-after"];
    const body = await readStart(response.body, maxErrorBytes);
    throw statusError(call.name, { status: response.statusCode, body, retryAfterMs: retryAfterMs(typeof wait === "string" ? wait : undefined) });
  }
}

function queryOf({ query = {} }: Call): string {
  const parameters = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]));
  return parameters.length === 0 ? "" : `?${parameters.join("&")}`;
}

function headersOf(call: Call, userAgent: string, authorization: string | undefined): Record<string, string> {
  return {
    accept: call.accept ?? "application/json",
    "user-agent": userAgent,
    ...(authorization !== undefined && { authorization }),
    ...(call.body !== undefined && { "content-type": call.contentType ?? "application/json" }),
  };
}

const maxErrorBytes = 65_536;

/** A body of JSON. @throws KubeUnreachable where it is longer than `maxBytes`, or no JSON */
export async function readJson(call: string, body: Readable, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new CodedError("KubeUnreachable", `${call}: the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return parseJson(call, Buffer.concat(chunks, size));
}

export function parseJson(call: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    // The parser's message quotes the text, which may be that of a Secret.
    throw new CodedError("KubeUnreachable", `${call}: the answer is no JSON`);
  }
}
