import { createServer, request as httpRequest } from "node:http";
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
  const refused = (header: string | undefined): boolean => expected !== undefined && header !== expected;
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    if (refused(incoming.headers["proxy-authorization"])) return void outgoing.writeHead(407).end();
    const target = new URL(incoming.url ?? "");
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => name !== "proxy-authorization"),
    );
    const forward = httpRequest(
      new URL(`${target.pathname}${target.search}`, `http://${resolve(target.host)}`),
      { method: incoming.method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forward.on("error", () => outgoing.destroy());
    incoming.pipe(forward);
  });
  server.on("connection", track);
  server.on("connect", (incoming, socket) => {
    requests.push(`CONNECT ${incoming.url}`);
    if (refused(incoming.headers["proxy-authorization"]))
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
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
