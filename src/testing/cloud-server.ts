import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface CloudCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface CloudAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A server that speaks for a cloud: its token services, its metadata service and its registry's exchange. */
export interface CloudServer extends AsyncDisposable {
  readonly url: string;
  /** Every call, oldest first. */
  readonly calls: CloudCall[];
  /** How the next calls are answered; a path that no route knows is answered with 404. */
  route(pathPrefix: string, answer: (call: CloudCall) => CloudAnswer | Promise<CloudAnswer>): void;
}

const tlsFile = (name: string): string => readFileSync(new URL(`fixtures/tls/${name}`, import.meta.url), "utf8");

export async function startCloudServer({ tls = false } = {}): Promise<CloudServer> {
  const calls: CloudCall[] = [];
  const routes = new Map<string, (call: CloudCall) => CloudAnswer | Promise<CloudAnswer>>();
  const handler = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(request, response, calls, routes);
  const server = tls
    ? createTlsServer({ cert: tlsFile("server.crt"), key: tlsFile("server.key") }, handler)
    : createServer(handler);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://${tls ? "localhost" : "127.0.0.1"}:${port}`,
    calls,
    route: (prefix, make) => void routes.set(prefix, make),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

type Routes = ReadonlyMap<string, (call: CloudCall) => CloudAnswer | Promise<CloudAnswer>>;

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  calls: CloudCall[],
  routes: Routes,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = "", url: path = "", headers } = request;
  const call = { method, path, headers, body: Buffer.concat(chunks).toString("utf8") };
  calls.push(call);
  const [prefix = ""] = [...routes.keys()]
    .filter((candidate) => path.startsWith(candidate))
    .toSorted((a, b) => b.length - a.length);
  send(response, (await routes.get(prefix)?.(call)) ?? { status: 404, body: "not found" });
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: CloudAnswer): void {
  const isText = typeof body === "string";
  response
    .writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers })
    .end(isText ? body : JSON.stringify(body));
}

/** A JWT whose claims nobody signed. */
export function unsignedJwt(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.`;
}
