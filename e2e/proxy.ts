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
  /** Resets one connection, once so many more bytes have come to the client. */
  cutOnceAfter(bytes: number): void;
  /** The same for bytes that it has carried from the client. */
  cutUploadsAfter(bytes: number): void;
  /** Connections cut so far. */
  cuts(): number;
}

export async function startCuttingProxy(workspace: Workspace, targetPort: number): Promise<CuttingProxy> {
  // A reset drops what the kernel has not delivered yet: a client gets time to take it. What a server does not get is sent again.
  const [down, up] = [200, 0].map((lingerMs): Direction => ({
    limit: Infinity,
    next: Infinity,
    cuts: 0,
    lingerMs,
  })) as [Direction, Direction];
  const open = new Set<Socket>();
  const server = createServer((client) => relay(client, connect(targetPort, "127.0.0.1"), { open, up, down }));
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
      down.limit = bytes;
    },
    cutOnceAfter: (bytes) => {
      down.next = bytes;
    },
    cutUploadsAfter: (bytes) => {
      up.limit = bytes;
    },
    cuts: () => down.cuts + up.cuts,
  };
}

function relay(
  client: Socket,
  upstream: Socket,
  { open, up, down }: { readonly open: Set<Socket>; readonly up: Direction; readonly down: Direction },
): void {
  for (const socket of [client, upstream]) {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      open.delete(socket);
      client.destroy();
      upstream.destroy();
    });
  }
  carry(client, upstream, up);
  carry(upstream, client, down);
}

interface Direction {
  /** Bytes that each connection may carry. */
  limit: number;
  /** Bytes that all of them may carry until one is cut, once. */
  next: number;
  cuts: number;
  readonly lingerMs: number;
}

function carry(from: Socket, to: Socket, state: Direction): void {
  let carried = 0;
  from.on("data", (chunk: Buffer) => {
    const rest = chunk.subarray(0, Math.max(0, Math.min(state.limit - carried, state.next)));
    carried += rest.length;
    state.next -= rest.length;
    const goesOn = to.write(rest);
    if (rest.length < chunk.length) {
      state.cuts += 1;
      if (state.next <= 0) state.next = Infinity;
      from.removeAllListeners("data").pause();
      if (state.lingerMs === 0) from.destroy();
      to.end(() => setTimeout(() => to.resetAndDestroy(), state.lingerMs));
    } else if (!goesOn) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  });
  from.on("end", () => to.end());
}
