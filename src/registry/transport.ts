import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { CodedError } from "../errors.ts";
import { discard } from "./body.ts";
import type { Channel, Traffic } from "./channel.ts";
import { assertEndpoint } from "./endpoint.ts";
import { givenUp, networkError, requestName } from "./errors.ts";
import type { Headers, HttpResponse, Method } from "./http-message.ts";

interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers: Headers;
  /** Makes the body anew for each time it is sent. */
  readonly body?: (() => Readable | Uint8Array) | undefined;
  /** The body holds credentials: it is never repeated to another origin. */
  readonly secretBody?: boolean;
  readonly traffic: Traffic;
  /** For the response's head, and between two parts of a body that is not content. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The host that has named `url`, where that is another one's. */
  readonly ledBy?: string | undefined;
}

/** Called after each request on the wire; `status` is 0 where no response came. */
export type OnRequest = (request: { host: string; method: string; status: number; durationMs: number }) => void;

export interface TransportOptions {
  readonly userAgent: string;
  readonly maxRedirects: number;
  readonly onRequest?: OnRequest | undefined;
}

const redirects = new Set([301, 302, 303, 307, 308]);
/** Headers that say who asks; they stay with the origin they are meant for. */
const ownHeaders = new Set(["authorization", "cookie", "proxy-authorization"]);

/**
 * One request and the redirects it leads to. Credentials and the client certificate are never shown to another origin.
 *
 * @throws EndpointRefused, RegistryUnreachable, RegistryTimeout, TlsFailed, RegistryResponseInvalid, Aborted
 */
export async function exchange(
  channel: Channel,
  options: TransportOptions,
  request: HttpRequest,
): Promise<HttpResponse> {
  let { url, headers, ledBy } = request;
  let ownOrigin = true;
  for (let hop = 0; ; hop++) {
    const response = await send(channel, options, { ...request, url, headers, ledBy, ownOrigin });
    const next = redirectTarget(request, response);
    if (!next) return response;
    await discard(response.body);
    if (hop >= options.maxRedirects)
      throw new CodedError("RegistryResponseInvalid", `${response.name}: more than ${options.maxRedirects} redirects`);
    if (next.origin !== url.origin) {
      ownOrigin = false;
      ledBy = url.host;
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.has(name.toLowerCase())));
    }
    url = next;
  }
}

/** 307 and 308 repeat any request; the others turn a POST into a GET, which no registry means. */
function redirectTarget(request: HttpRequest, response: HttpResponse): URL | undefined {
  if (!redirects.has(response.status)) return undefined;
  const location = response.header("location");
  if (location === undefined) return undefined;
  const repeatable = request.method === "GET" || request.method === "HEAD" || response.status >= 307;
  if (!repeatable) return undefined;
  const target = targetOf(location, response.url, response.name);
  if (request.secretBody && target.origin !== request.url.origin) {
    throw new CodedError(
      "EndpointRefused",
      `${response.name}: leads to ${target.host}; credentials are not sent on to another host`,
    );
  }
  return target;
}

/**
 * Where a `Location` leads. @throws EndpointRefused when it would leave TLS or is not an HTTP URL
 */
export function targetOf(location: string, from: URL, name: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (!target || (target.protocol !== "https:" && target.protocol !== "http:")) {
    throw new CodedError("RegistryResponseInvalid", `${name}: the Location header is not a URL`);
  }
  // Behind a proxy that ends TLS a registry may think that it is spoken to in plain HTTP.
  if (from.protocol === "https:" && target.protocol === "http:" && target.host === from.host)
    target.protocol = "https:";
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw new CodedError(
      "EndpointRefused",
      `${name}: leads from https to plain http://${target.host}; the registry has to be told its external https address`,
    );
  }
  target.username = "";
  target.password = "";
  target.hash = "";
  return target;
}

async function send(
  channel: Channel,
  options: TransportOptions,
  request: HttpRequest & { ownOrigin: boolean },
): Promise<HttpResponse> {
  const { method, url, signal } = request;
  const name = `${requestName(method, url)}${wayOf(channel, request)}`;
  if (signal.aborted) throw givenUp(signal);
  assertEndpoint(url, "the host");
  const started = performance.now();
  let status = 0;
  try {
    const response = await channel.dispatcher(url, request.traffic, request.ownOrigin).request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: { "user-agent": options.userAgent, "accept-encoding": "identity", ...request.headers },
      body: request.body?.() ?? null,
      headersTimeout: request.timeoutMs,
      // Content is watched by its reader, see Pace.
      bodyTimeout: request.traffic === "bulk" ? 0 : request.timeoutMs,
      // undici would close the connection after each HEAD, and the next would start with a handshake.
      reset: false,
      signal,
      highWaterMark: request.traffic === "bulk" ? 512 * 1024 : 64 * 1024,
    });
    status = response.statusCode;
    return toResponse(response, url, name);
  } catch (error) {
    throw signal.aborted ? givenUp(signal) : networkError(name, error);
  } finally {
    options.onRequest?.({ host: url.host, method, status, durationMs: performance.now() - started });
  }
}

/** For messages: who led to another host, and through which proxy it goes. */
function wayOf(channel: Channel, { url, ledBy }: HttpRequest): string {
  const proxy = channel.proxyOf(url);
  const steps = [...(ledBy ? [`to which ${ledBy} leads`] : []), ...(proxy ? [`through the proxy ${proxy}`] : [])];
  return steps.length === 0 ? "" : ` (${steps.join(", ")})`;
}

function toResponse({ statusCode, headers, body }: Dispatcher.ResponseData, url: URL, name: string): HttpResponse {
  // Nobody may be listening yet when a connection breaks; the reader still gets the error.
  body.on("error", () => undefined);
  const header = (key: string): string | undefined => {
    const value = headers[key];
    return typeof value === "string" ? value : value?.join(", ");
  };
  return { status: statusCode, header, body, url, name };
}
