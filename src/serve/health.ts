import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CodedError, messageOf } from "../errors.ts";

// An import of it would load its WebSocket client as well: 7 MB.
const { createServer } = process.getBuiltinModule("node:http");

/** Where to listen; no host is every address, port 0 is any port. */
export interface ListenAddress {
  readonly host?: string | undefined;
  readonly port: number;
}

export interface SmallServer {
  readonly port: number;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

type Routes = ReadonlyMap<string, () => Promise<Answer> | Answer>;

/** A client that has not sent its request by then is cut off; so is one that idles. */
const timeouts = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 5000,
};
const maxConnections = 100;

/**
 * `/healthz` answers 200 for as long as this process gets to answer; `/readyz` answers 200 while `ready` says so, else 503.
 * @throws InvalidSpec where the address cannot be listened on
 */
export async function serveProbes(address: ListenAddress, ready: () => boolean): Promise<SmallServer> {
  const text = (status: number, body: string): Answer => ({ status, contentType: "text/plain; charset=utf-8", body });
  return await serve(
    address,
    new Map([
      ["/healthz", () => text(200, "ok")],
      ["/readyz", () => (ready() ? text(200, "ok") : text(503, "not ready"))],
    ]),
  );
}

/** `/metrics`. @throws InvalidSpec where the address cannot be listened on */
export async function serveMetrics(
  address: ListenAddress,
  render: () => Promise<{ readonly contentType: string; readonly body: string }>,
): Promise<SmallServer> {
  return await serve(address, new Map([["/metrics", async () => ({ status: 200, ...(await render()) })]]));
}

async function serve({ host, port }: ListenAddress, routes: Routes): Promise<SmallServer> {
  const server = createServer(timeouts, (request, response) => void answer(routes, request, response));
  server.maxConnections = maxConnections;
  await new Promise<void>((done, fail) => {
    const refused = (cause: Error): void =>
      fail(new CodedError("InvalidSpec", `cannot listen on ${host ?? ""}:${port}: ${messageOf(cause)}`, { cause }));
    server.once("error", refused).listen(port, host, () => {
      server.off("error", refused);
      done();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: async () => await close(server) };
}

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Bodies are not read; a request that has one does not get to send another.
  if (request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined)
    response.setHeader("connection", "close");
  const route = routes.get((request.url ?? "").split("?", 1)[0]!);
  if (route === undefined)
    return send(response, { status: 404, contentType: "text/plain; charset=utf-8", body: "not found" });
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, { status: 405, contentType: "text/plain; charset=utf-8", body: "only GET" });
  }
  try {
    send(response, await route());
  } catch {
    send(response, { status: 500, contentType: "text/plain; charset=utf-8", body: "failed" });
  }
}

/** Node leaves the body out where the request was HEAD. */
function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response
    .writeHead(status, {
      "content-type": contentType,
      "content-length": Buffer.byteLength(body),
      "x-content-type-options": "nosniff",
    })
    .end(body);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  server.closeAllConnections();
  await closed;
}
