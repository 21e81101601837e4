import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface TestProxy extends AsyncDisposable {
  /** `http://127.0.0.1:1234` */
  readonly url: string;
  /** `CONNECT host:port` for tunnels, `GET http://…` for forwarded requests. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * An HTTP proxy: forwards plain requests, tunnels the others.
 *
 * @param login `user:password` to ask for
 * @param resolve where a host really is, for names that only the proxy knows
 */
export async function startProxy(
  options: { login?: string; resolve?: (host: string) => string } = {},
): Promise<TestProxy> {
  const { login, resolve = (host: string) => host } = options;
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
  };
  const expected = login && `Basic ${Buffer.from(login).toString("base64")}`;
  const isRefused = ({ headers }: IncomingMessage): boolean =>
    expected !== undefined && headers["proxy-authorization"] !== expected;
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    if (isRefused(incoming)) outgoing.writeHead(407).end();
    else forward(incoming, outgoing, resolve);
  });
  server.on("connection", track);
  server.on("connect", (incoming, socket) => {
    requests.push(`CONNECT ${incoming.url}`);
    if (isRefused(incoming)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const { hostname, port } = new URL(`http://${resolve(incoming.url ?? "")}`);
    const upstream = track(connect(Number(port), hostname, () => void socket.write("HTTP/1.1 200 OK\r\n\r\n")));
    upstream.pipe(socket).pipe(upstream);
    socket.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((done) => server.close(() => done()));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, resolve: (host: string) => string): void {
  const target = new URL(incoming.url ?? "");
  const { "proxy-authorization": _, ...headers } = incoming.headers;
  const forwarded = request(
    new URL(`${target.pathname}${target.search}`, `http://${resolve(target.host)}`),
    { method: incoming.method, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    },
  );
  forwarded.on("error", () => outgoing.destroy());
  incoming.pipe(forwarded);
}
