import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "../e2e/registry.ts";

/** A registry behind a slow line. */
export interface Throttle {
  /** `127.0.0.1:5000` */
  readonly host: string;
  close(): Promise<void>;
}

/** Passes everything on to the registry, and each answer back at so many bytes a second. */
export async function startThrottle(registry: Pick<Registry, "port">, bytesPerSecond: number): Promise<Throttle> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const options = { host: "127.0.0.1", port: registry.port, method, path: url, headers };
    const upstream = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      // Whoever hangs up has what he wanted.
      pipeline(answer, (source: AsyncIterable<Buffer>) => paced(source, bytesPerSecond), outgoing).catch(
        () => undefined,
      );
    });
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The same pieces, each once its time has come. */
async function* paced(source: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const begin = performance.now();
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    bytes += chunk.length;
    const early = (bytes / bytesPerSecond) * 1000 - (performance.now() - begin);
    if (early > 0) await sleep(early);
  }
}
