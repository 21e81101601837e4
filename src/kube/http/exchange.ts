import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { unlessAborted } from "../../http/abort.ts";
import { CodedError } from "../../errors.ts";
import { readStart, statusOf } from "../../http/failures.ts";
import { retryAfterMs } from "../../http/retry-after.ts";
import type { Clock } from "../clock.ts";
import { sleep } from "../clock.ts";
import { collectAnswer } from "./answer.ts";
import type { Channel, Link } from "./channel.ts";
import { givenUp, maxRetryAfterMs, mayRetry, networkError, statusError } from "./errors.ts";
import type { RateLimit } from "./rate-limit.ts";

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
   * The JSON of a successful answer; one that breaks off is asked for again.
   *
   * @throws as every method of KubeClient; KubeUnreachable where it is longer than `maxBytes`, or not JSON
   */
  async json(call: Call, maxBytes: number, signal: AbortSignal): Promise<unknown> {
    return await this.#run(call, (link) => this.#answer(call, { link, maxBytes, signal }), signal);
  }

  /** The body of a successful answer that goes on for long. @throws as every method of KubeClient */
  async stream(call: Call, signal: AbortSignal): Promise<Readable> {
    return await this.#run(call, (link) => this.#open(call, link, signal), signal);
  }

  async #run<T>(call: Call, send: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { retry } = this.#wire.options;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#attempt(call, send, signal);
      } catch (thrown) {
        const error = networkError(call.name, thrown, signal);
        const waitMs = error.retryAfterMs ?? Math.random() * Math.min(retry.maxMs, retry.baseMs * 2 ** tried);
        if (tried >= retry.attempts || waitMs > retry.maxWaitMs || !mayRetry(error, call.repeatable)) throw error;
        await sleep(this.#wire.clock, waitMs, signal);
      }
    }
  }

  async #attempt<T>(call: Call, send: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#wire.limit.take(signal);
    if (signal.aborted) throw givenUp(call.name, signal);
    const gaveUp = (): Error => givenUp(call.name, signal);
    const link = await unlessAborted(this.#wire.channel.link(), signal, gaveUp);
    try {
      return await send(link);
    } catch (error) {
      if (statusOf(error) !== 401) throw error;
    }
    // A token may be renewed before the old one was read anew.
    return await send(await unlessAborted(this.#wire.channel.link(link), signal, gaveUp));
  }

  async #answer(
    call: Call,
    { link, maxBytes, signal }: { link: Link; maxBytes: number; signal: AbortSignal },
  ): Promise<unknown> {
    const { timeoutMs } = this.#wire.options;
    const { status, retryAfter, date, body, isWhole } = await collectAnswer(
      link.dispatchers.request,
      this.#request(call, link, timeoutMs),
      { maxBytes, signal },
    );
    if (status >= 300)
      throw statusError(call.name, {
        status,
        body: body.subarray(0, maxErrorBytes).toString("utf8"),
        retryAfterMs: retryAfterMs(retryAfter, date, maxRetryAfterMs),
      });
    if (!isWhole) throw new CodedError("KubeUnreachable", `${call.name}: the answer is larger than ${maxBytes} bytes`);
    return parseJson(call.name, body);
  }

  async #open(call: Call, link: Link, signal: AbortSignal): Promise<Readable> {
    const response = await link.dispatchers.watch.request({
      ...this.#request(call, link, this.#wire.options.watchIdleMs),
      signal,
    });
    if (response.statusCode < 300) return response.body;
    const body = await readStart(response.body, maxErrorBytes);
    throw statusError(call.name, {
      status: response.statusCode,
      body,
      retryAfterMs: retryAfterMs(response.headers["retry-after"], response.headers["date"], maxRetryAfterMs),
    });
  }

  #request(call: Call, { material }: Link, bodyTimeout: number): Dispatcher.DispatchOptions {
    const { server, options } = this.#wire;
    return {
      origin: server.origin,
      method: call.method,
      path: `${this.#prefix}${call.path}${queryOf(call)}`,
      headers: headersOf(call, options.userAgent, material.authorization),
      body: call.body === undefined ? null : JSON.stringify(call.body),
      headersTimeout: options.timeoutMs,
      bodyTimeout,
    };
  }
}

function queryOf({ query = {} }: Call): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
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

export function parseJson(call: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    // The parser's message quotes the text, which may be that of a Secret.
    throw new CodedError("KubeUnreachable", `${call}: the answer is not JSON`);
  }
}
