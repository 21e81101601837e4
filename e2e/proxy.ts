import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { Workspace } from "./workspace.ts";

/** A TCP proxy that cuts connections. */
export interface CuttingProxy {
  /** `127.0.0.1:5000` */
  readonly host: string;
  readonly url: string;
  /** Resets each connection after it has carried this many bytes to the client; the default never does. */
  cutAfter(bytes: number): void;
  /** Connections cut so far. */
  cuts(): number;
}

export async function startCuttingProxy(workspace: Workspace, targetPort: number): Promise<CuttingProxy> {
  const state = { limit: Number.POSITIVE_INFINITY, cuts: 0 };
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    carry(upstream, client, state);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  workspace.onEnd(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    cutAfter: (bytes) => {
      state.limit = bytes;
    },
    cuts: () => state.cuts,
  };
}

function carry(upstream: Socket, client: Socket, state: { limit: number; cuts: number }): void {
  let carried = 0;
  upstream.on("data", (chunk: Buffer) => {
    const rest = chunk.subarray(0, Math.max(0, state.limit - carried));
    carried += rest.length;
    const goesOn = client.write(rest);
    if (rest.length < chunk.length) {
      state.cuts += 1;
      client.end(() => client.resetAndDestroy());
      upstream.removeAllListeners("data").destroy();
    } else if (!goesOn) {
      upstream.pause();
      client.once("drain", () => upstream.resume());
    }
  });
}
