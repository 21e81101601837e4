import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { CodedError, messageOf } from "../errors.ts";
import { Connections, type ConnectionLimits } from "./connections.ts";

// An import of it would load its WebSocket client as well: 7 MB.
const { createServer } = process.getBuiltinModule("node:http");

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** PEM. */
export interface Certificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** What protects a server from its clients. Times are ms. */
export interface ServerLimits extends ConnectionLimits {
  /** Request line and headers together. */
  readonly maxHeaderBytes: number;
  /** A connection is closed after so many. */
  readonly maxRequestsPerConnection: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longer than the 90 s after which Go's clients drop an idle connection, so that they never meet a closing one. */
  readonly keepAliveTimeoutMs: number;
  /** A client has to take `minBytesPerSecond`, averaged over this time. */
  readonly slowClientMs: number;
  readonly minBytesPerSecond: number;
}

export interface ListenOptions {
  /** `host:port`, `:port` or `[::1]:port`; port 0 takes any. */
  readonly address: string;
  readonly limits: ServerLimits;
  /** HTTPS with the certificate that this returns when a connection opens; a new one takes effect at once. */
  readonly certificate?: () => Certificate;
  /** A failure of ours while answering. */
  readonly onError?: (error: unknown, request: IncomingMessage) => void;
}

export interface HttpServer {
  readonly port: number;
  /** Stops accepting, lets running responses finish for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** Connections that wait to be accepted; the kernel may allow fewer. */
const backlog = 4096;

/** @throws InvalidSpec where the address is none, or cannot be listened on */
export async function listen(handler: Handler, options: ListenOptions): Promise<HttpServer> {
  const { host, port } = parseListenAddress(options.address);
  let closing = false;
  const connections = new Connections(options.limits);
  const server = createListener(options, (request, response) => {
    void connections.inTurn(request, response, async () => {
      if (closing || hasBody(request)) response.setHeader("connection", "close");
      dropSlowClient(response, options.limits);
      await answer(handler, request, response, options.onError);
    });
  });
  server.prependListener("connection", (socket: Socket) => connections.admit(socket));
  await new Promise<void>((done, fail) => {
    const refused = (cause: Error): void =>
      fail(new CodedError("InvalidSpec", `cannot listen on ${options.address}: ${messageOf(cause)}`, { cause }));
    server.once("error", refused).listen({ port, host, backlog }, () => {
      server.off("error", refused);
      done();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async (graceMs) => {
      closing = true;
      await closeServer(server, graceMs);
    },
  };
}

function createListener(
  { limits, certificate }: ListenOptions,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Server | TlsServer {
  const timeouts = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / 2),
    maxHeaderSize: limits.maxHeaderBytes,
  };
  const server =
    certificate === undefined ? createServer(timeouts, handler) : createRotatingServer(certificate, timeouts, handler);
  server.maxRequestsPerSocket = limits.maxRequestsPerConnection;
  return server;
}

function createRotatingServer(
  certificate: () => Certificate,
  timeouts: object,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): TlsServer {
  let used = certificate();
  const server = createTlsServer({ ...timeouts, ...used, minVersion: "TLSv1.2" }, handler);
  // Before the handshake of each connection; not by SNI, which clients that connect to an IP address do not send.
  server.prependListener("connection", () => {
    const next = certificate();
    if (next.cert === used.cert && next.key === used.key) return;
    try {
      server.setSecureContext({ ...next, minVersion: "TLSv1.2" });
      used = next;
    } catch {
      // Half written or wrong: the previous certificate goes on being used, and this one is tried at the next connection.
    }
  });
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return server;
}

/** Bodies are not read; a request that has one does not get to send another. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

async function answer(
  handler: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  onError: ListenOptions["onError"],
): Promise<void> {
  try {
    await handler(request, response);
  } catch (error) {
    onError?.(error, request);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { "content-type": "text/plain", "content-length": 0 }).end();
  }
}

/** Cuts a response whose client takes next to nothing: it holds a file and memory. */
function dropSlowClient(response: ServerResponse, { slowClientMs, minBytesPerSecond }: ServerLimits): void {
  const taken = (): number => (response.socket ? response.socket.bytesWritten - response.socket.writableLength : 0);
  let before = taken();
  const timer = setInterval(() => {
    const now = taken();
    if (now - before < (minBytesPerSecond * slowClientMs) / 1000) response.socket?.destroy();
    before = now;
  }, slowClientMs);
  timer.unref();
  response.once("close", () => clearInterval(timer));
}

async function closeServer(server: Server | TlsServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  // A connection whose response has just ended is idle only from now on.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}

/** @throws InvalidSpec */
export function parseListenAddress(address: string): { host: string | undefined; port: number } {
  const [, host = "", digits = ""] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/\s]*):(\d{1,5})$/.exec(address) ?? [];
  const port = digits === "" ? -1 : Number(digits);
  if (port >= 0 && port <= 65_535) return { host: host.replace(/^\[|\]$/g, "") || undefined, port };
  throw new CodedError(
    "InvalidSpec",
    `"${address.slice(0, 100)}" is not an address to listen on; write :9090, 127.0.0.1:9090 or [::1]:9090`,
  );
}

/**
 * The address that consumers are told: what was asked for, else the host of the listening address, else `hostname`, each with the
 * port that is listened on.
 */
export function advertisedAddress(
  advertised: string,
  address: string,
  { hostname, port }: { hostname: string; port: number },
): string {
  if (advertised !== "") return advertised;
  const { host } = parseListenAddress(address);
  const name = host === undefined || host === "0.0.0.0" || host === "::" ? hostname : host;
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}
