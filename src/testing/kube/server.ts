import type { ResourceType } from "../../../api/kinds.ts";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { codeOf } from "../../errors.ts";
import type { KubeObject } from "../../kube/client.ts";
import { MemoryKube } from "../../kube/local/memory.ts";
import {
  answerObject,
  failureReply,
  type KubeCall,
  type KubeTarget,
  listOptions,
  noSuchPath,
  Pages,
  shown,
  statusReply,
  targetOf,
} from "./routes.ts";
import { type Fault, Faults } from "../registry/faults.ts";
import { type Reply, send } from "../registry/reply.ts";
import { testCa } from "../registry/registry.ts";

export interface KubeServerOptions {
  /** The kinds that are served; kinds may come and go while the server runs. */
  readonly kinds: ResourceType[];
  /** Default: a new one. */
  readonly store?: MemoryKube;
  /** HTTPS with the test CA's certificate; `mutual` asks for a client certificate. Default: HTTP. */
  readonly tls?: "server" | "mutual";
  /** Tokens that are let in; they may change while the server runs. Default: no authentication. */
  readonly tokens?: Set<string>;
  /** Pause between two bookmarks. */
  readonly bookmarkMs?: number;
}

export interface KubeRequestRecord {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A Kubernetes API server in this process, over a MemoryKube, for tests. */
export interface TestKubeServer extends AsyncDisposable {
  readonly url: string;
  readonly store: MemoryKube;
  readonly faults: Faults;
  /** Every request, oldest first. */
  readonly requests: KubeRequestRecord[];
  /** How many connections clients have opened. */
  readonly connections: () => number;
  /** Ends lists that are being read page by page (410). */
  expirePages(): void;
  /** Resets every open connection. */
  dropConnections(): void;
  /** Cuts all connections and takes no more until `start`, which is on the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

interface Shared {
  readonly options: KubeServerOptions;
  readonly store: MemoryKube;
  readonly faults: Faults;
  readonly requests: KubeRequestRecord[];
  readonly pages: Pages;
}

const tlsFile = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");

export async function startKubeServer(options: KubeServerOptions): Promise<TestKubeServer> {
  const shared: Shared = {
    options,
    store: options.store ?? new MemoryKube(),
    faults: new Faults(),
    requests: [],
    pages: new Pages(),
  };
  const server = listener(options.tls, (incoming, response) => void answer(incoming, response, shared));
  const { connections, dropConnections } = trackConnections(server);
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()));
    dropConnections();
    await closed;
  };
  const listen = (port: number): Promise<void> =>
    new Promise((done, fail) => {
      server.once("error", fail).listen(port, "127.0.0.1", done);
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const { store, faults, requests, pages } = shared;
  return {
    url: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    store,
    faults,
    requests,
    connections,
    expirePages: () => pages.expire(),
    dropConnections,
    stop,
    start: () => listen(port),
    [Symbol.asyncDispose]: async () => (server.listening ? stop() : undefined),
  };
}

function trackConnections(server: Server): Pick<TestKubeServer, "connections" | "dropConnections"> {
  const open = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
  });
  server.on("tlsClientError", (_, socket: Socket) => socket.destroy());
  return {
    connections: () => connections,
    dropConnections: () => open.forEach((socket) => socket.destroy()),
  };
}

function listener(
  tls: KubeServerOptions["tls"],
  handler: (incoming: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (tls === undefined) return createServer({ keepAliveTimeout: 60_000 }, handler);
  const mutual = tls === "mutual" ? { ca: testCa(), requestCert: true, rejectUnauthorized: true } : {};
  return createTlsServer(
    { cert: tlsFile("server.crt"), key: tlsFile("server.key"), keepAliveTimeout: 60_000, ...mutual },
    handler,
  );
}

async function answer(incoming: IncomingMessage, response: ServerResponse, shared: Shared): Promise<void> {
  response.on("error", () => response.socket?.destroy());
  try {
    const { method = "", headers, url: path = "" } = incoming;
    const body = await text(incoming);
    shared.requests.push({ method, path, headers, body });
    const fault = shared.faults.take(method, path);
    const call = callOf(incoming, body);
    const target = targetOf(shared.options.kinds, call.url.pathname);
    // A request that is reset or refused has no effect.
    if (isRefused(fault)) await send(response, method, noSuchPath(), fault);
    else if (!isAllowed(shared, headers))
      await send(response, method, statusReply(401, "Unauthorized", "Unauthorized"));
    else if (target !== undefined && isWatch(target, call)) await watch(response, { shared, target, call });
    else await send(response, method, await route(shared, target, call), fault);
  } catch {
    // The client has gone.
    response.destroy();
  }
}

const isRefused = (fault: Fault | undefined): boolean => fault?.reset === true || fault?.status !== undefined;

const callOf = ({ method = "", url = "", headers }: IncomingMessage, body: string): KubeCall => ({
  method,
  url: new URL(url, "http://server"),
  accept: headers.accept ?? "",
  contentType: headers["content-type"] ?? "",
  body,
});

const isWatch = ({ name }: KubeTarget, { method, url }: KubeCall): boolean =>
  method === "GET" && name === undefined && url.searchParams.get("watch") === "true";

function isAllowed({ options: { tokens } }: Shared, { authorization = "" }: IncomingMessage["headers"]): boolean {
  return tokens === undefined || (authorization.startsWith("Bearer ") && tokens.has(authorization.slice(7)));
}

async function route({ store, pages }: Shared, target: KubeTarget | undefined, call: KubeCall): Promise<Reply> {
  if (target === undefined) return noSuchPath();
  const { signal } = new AbortController();
  try {
    const isList = call.method === "GET" && target.name === undefined;
    return isList ? await pages.list(store, target, call, signal) : await answerObject(store, target, call, signal);
  } catch (error) {
    return failureReply(error, target);
  }
}

const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };

interface Watch {
  readonly shared: Shared;
  readonly target: KubeTarget;
  readonly call: KubeCall;
}

async function watch(response: ServerResponse, { shared, target, call }: Watch): Promise<void> {
  const stopped = new AbortController();
  response.on("close", () => stopped.abort());
  const { searchParams } = call.url;
  let version = searchParams.get("resourceVersion") ?? "0";
  const write = (type: string, object: KubeObject): void => {
    version = object.metadata.resourceVersion ?? version;
    response.write(`${JSON.stringify({ type, object })}\n`);
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const bookmark = async (): Promise<void> => {
    const object = await latest(shared.store, target, stopped.signal);
    if (Number(object.metadata.resourceVersion) > Number(version)) write("BOOKMARK", object);
  };
  const timer =
    searchParams.get("allowWatchBookmarks") === "true"
      ? setInterval(() => void bookmark().catch(() => {}), shared.options.bookmarkMs ?? 1000)
      : undefined;
  try {
    for await (const { type, object } of shared.store.watch(
      target.type,
      { ...listOptions(target, call.url), resourceVersion: version },
      stopped.signal,
    ))
      write(type, shown(object, call.accept));
  } catch (error) {
    if (codeOf(error) !== "KubeConflict") throw error;
    response.write(`${JSON.stringify({ type: "ERROR", object: expired })}\n`);
  } finally {
    clearInterval(timer);
  }
  response.end();
}

/** What a bookmark says: every change up to its version has been written by now. */
async function latest(store: MemoryKube, { type }: KubeTarget, signal: AbortSignal): Promise<KubeObject> {
  const { resourceVersion } = await store.list(type, { namespace: "none" }, signal);
  await new Promise(setImmediate);
  return { apiVersion: type.version, kind: type.kind, metadata: { resourceVersion } as KubeObject["metadata"] };
}
