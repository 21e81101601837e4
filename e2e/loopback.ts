import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Workspace } from "./workspace.ts";

/** Lets a server of this process listen until the suite ends. Returns `127.0.0.1:<port>`. */
export async function listenOnLoopback(workspace: Workspace, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  workspace.onEnd(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
