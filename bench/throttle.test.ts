import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { startThrottle } from "./throttle.ts";

it("passes on what a registry answers, at its own rate", async () => {
  const body = Buffer.alloc(200_000, "x");
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/v2/app/blobs/one" ? 200 : 404, { "content-length": body.length });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const throttle = await startThrottle({ port: (server.address() as AddressInfo).port }, 400_000);
  const from = performance.now();
  const found = await fetch(`http://${throttle.host}/v2/app/blobs/one`);
  expect(Buffer.from(await found.arrayBuffer())).toEqual(body);
  // The last piece is not waited for.
  expect(performance.now() - from).toBeGreaterThan(300);
  const missing = await fetch(`http://${throttle.host}/v2/app/blobs/two`);
  expect(missing.status).toBe(404);
  await missing.body?.cancel();
  await throttle.close();
  server.closeAllConnections();
  server.close();
});
