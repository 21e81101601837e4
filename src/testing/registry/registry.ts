import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Auth, type AuthOptions } from "./auth.ts";
import { Faults, type Fault } from "./faults.ts";
import { loadFixtures, loadLayout } from "./layout.ts";
import { send, type Request } from "./reply.ts";
import { route, type RouteOptions, type Routes } from "./routes.ts";
import { RegistryStore } from "./store.ts";
import { Uploads, type UploadOptions } from "./uploads.ts";

export interface RegistryOptions extends Partial<RouteOptions>, Partial<UploadOptions> {
  /** Serves every layout under fixtures/oci, each under its path. */
  readonly fixtures?: boolean;
  readonly auth?: AuthOptions;
  readonly tls?: TlsOptions;
  /** Shared with another server; default: a new one. */
  readonly store?: RegistryStore;
  /** Address to listen on; default 127.0.0.1. */
  readonly address?: string;
}

export interface TlsOptions {
  /** Certificate: `server` (default) or `expired`; see fixtures/tls. */
  readonly certificate?: "server" | "expired";
  /** Requires a client certificate of the test CA. */
  readonly mutual?: boolean;
  /** HTTP/2 where the client offers it; default true. */
  readonly http2?: boolean;
}

export interface RequestRecord {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly httpVersion: string;
  /** 0: the connection was cut before an answer. */
  status: number;
  /** Bytes of the request's body that arrived. */
  received: number;
  /** Bytes of the response's body that were sent. */
  sent: number;
}

/** An OCI registry in this process (distribution-spec v1.1), for tests, the demo and the benchmark. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:1234` */
  readonly host: string;
  /** `http://127.0.0.1:1234` */
  readonly url: string;
  readonly store: RegistryStore;
  readonly faults: Faults;
  /** Every request, oldest first. */
  readonly requests: RequestRecord[];
  /** How many connections clients have opened. */
  readonly connections: () => number;
  readonly auth: Auth | undefined;
  loadLayout(dir: string, repository: string): Promise<void>;
  /** Resets every open connection. */
  dropConnections(): void;
  close(): Promise<void>;
}

const tlsFile = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");

/** PEM of the CA that signed the test servers' certificates. */
export const testCa = (): string => tlsFile("ca.crt");

/** A client certificate and key of the test CA, PEM. */
export const testClientCertificate = (): { cert: string; key: string } => ({
  cert: tlsFile("client.crt"),
  key: tlsFile("client.key"),
});

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const store = options.store ?? new RegistryStore();
  if (options.fixtures) await loadFixtures(store);
  const faults = new Faults();
  const requests: RequestRecord[] = [];
  const auth = options.auth && new Auth(options.auth);
  const routes: Routes = {
    store,
    uploads: new Uploads(store, uploadOptions(options)),
    auth,
    options: routeOptions(options),
  };
  const server = createListener(
    options.tls,
    (incoming, response) => void answer(incoming, response, { routes, faults, requests }),
  );
  const sockets = trackSockets(server);
  await new Promise<void>((done, fail) => {
    server.once("error", fail).listen(0, options.address ?? "127.0.0.1", done);
  });
  const { port, address, family } = server.address() as AddressInfo;
  const host = `${family === "IPv6" ? `[${address}]` : address}:${port}`;
  const close = async (): Promise<void> => {
    for (const socket of sockets.open) socket.destroy();
    await new Promise<void>((done) => server.close(() => done()));
  };
  return {
    host,
    url: `${options.tls ? "https" : "http"}://${host}`,
    store,
    faults,
    requests,
    connections: () => sockets.total(),
    auth,
    loadLayout: (dir, repository) => loadLayout(store, dir, repository),
    dropConnections: () => sockets.open.forEach((socket) => socket.destroy()),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function routeOptions(options: RegistryOptions): RouteOptions {
  const {
    referrers = true,
    filtersReferrers = true,
    deletes = true,
    preconditions = "honoured",
    ranges = true,
    pageSize = 1000,
    redirectBlob,
  } = options;
  return { referrers, filtersReferrers, deletes, preconditions, ranges, pageSize, redirectBlob };
}

const uploadOptions = ({ chunkMinBytes = 0, mounts = true }: RegistryOptions): UploadOptions => ({
  chunkMinBytes,
  mounts,
});

type Handler = (incoming: IncomingMessage, response: ServerResponse) => void;

function createListener(tls: TlsOptions | undefined, handler: Handler): Server {
  if (!tls) return createServer({ keepAliveTimeout: 60_000 }, handler);
  const name = tls.certificate ?? "server";
  const mutual = tls.mutual ? { ca: testCa(), requestCert: true, rejectUnauthorized: true } : {};
  const options = { cert: tlsFile(`${name}.crt`), key: tlsFile(`${name}.key`), ...mutual };
  if (tls.http2 === false) return createTlsServer(options, handler);
  // HTTP/2's compatibility layer speaks the same interface as node:http.
  return createSecureServer({ allowHTTP1: true, ...options }, handler as never) as unknown as Server;
}

function trackSockets(server: Server): { open: Set<Socket>; total: () => number } {
  const open = new Set<Socket>();
  let total = 0;
  const add = (socket: Socket): void => {
    total++;
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
  };
  server.on("connection", add);
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return { open, total: () => total };
}

interface Shared {
  readonly routes: Routes;
  readonly faults: Faults;
  readonly requests: RequestRecord[];
}

async function answer(incoming: IncomingMessage, response: ServerResponse, shared: Shared): Promise<void> {
  const method = incoming.method ?? "";
  const path = incoming.url ?? "";
  const fault = shared.faults.take(method, path, incoming.headers);
  const record: RequestRecord = {
    method,
    path,
    headers: incoming.headers,
    httpVersion: incoming.httpVersion,
    status: 0,
    received: 0,
    sent: 0,
  };
  shared.requests.push(record);
  incoming.on("error", () => incoming.destroy());
  response.on("error", () => response.socket?.destroy());
  try {
    const reply = await route(toRequest(incoming, fault, record), shared.routes);
    if (!reply) {
      response.socket?.destroy();
      return;
    }
    record.status = fault?.status ?? (fault?.reset ? 0 : reply.status);
    await send(response, method, { ...reply, onSent: (bytes) => (record.sent += bytes) }, fault);
  } catch (error) {
    // A malformed request of a test must not take the whole process down.
    response.writeHead(500).end(String(error));
  }
}

function toRequest(incoming: IncomingMessage, fault: Fault | undefined, record: RequestRecord): Request {
  const authority = incoming.headers[":authority"] ?? incoming.headers.host ?? "";
  const scheme = "encrypted" in incoming.socket ? "https" : "http";
  const origin = `${scheme}://${String(authority)}`;
  return {
    method: incoming.method ?? "",
    url: new URL(incoming.url ?? "", origin),
    origin,
    headers: incoming.headers,
    read: async () => {
      const body = await readBody(incoming, fault?.cutRequestAfterBytes ?? Infinity);
      record.received += body.bytes.length;
      return body;
    },
  };
}

async function readBody(incoming: IncomingMessage, cutAfter: number): Promise<{ bytes: Buffer; complete: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, cutAfter - size));
      size += chunk.length;
      if (size >= cutAfter) return { bytes: Buffer.concat(chunks), complete: false };
    }
    return { bytes: Buffer.concat(chunks), complete: true };
  } catch {
    return { bytes: Buffer.concat(chunks), complete: false };
  }
}
