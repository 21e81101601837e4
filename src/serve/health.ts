import type { IncomingMessage, ServerResponse } from "node:http";
import { listen, type ServerLimits } from "./listen.ts";

export interface SmallServer {
  readonly port: number;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

type Routes = ReadonlyMap<string, () => Promise<Answer> | Answer>;

/**
 * `/healthz` answers 200 for as long as this process gets to answer; `/readyz` answers 200 while `ready` says so, else 503.
 * @throws InvalidSpec where the address cannot be listened on
 */
export async function serveProbes(
  address: string,
  limits: ServerLimits,
  ready: () => Promise<boolean> | boolean,
): Promise<SmallServer> {
  return await serve(
    address,
    limits,
    new Map<string, () => Promise<Answer> | Answer>([
      ["/healthz", () => text(200, "ok")],
      ["/readyz", async () => ((await ready()) ? text(200, "ok") : text(503, "not ready"))],
    ]),
  );
}

/**
 * `/metrics`. Who asks while it is being rendered gets the same; and it is rendered a tenth of the time at most, however often it is
 * asked for.
 * @throws InvalidSpec where the address cannot be listened on
 */
export async function serveMetrics(
  address: string,
  limits: ServerLimits,
  render: () => Promise<{ readonly contentType: string; readonly body: string }>,
): Promise<SmallServer> {
  return await serve(address, limits, new Map([["/metrics", shared(render)]]));
}

function shared(render: Parameters<typeof serveMetrics>[2]): () => Promise<Answer> {
  let freshUntil = -Infinity;
  let last: Promise<Answer> | undefined;
  return async () => {
    if (last !== undefined && performance.now() < freshUntil) return await last;
    const startedAt = performance.now();
    // Nobody renders beside it.
    freshUntil = Infinity;
    last = render().then(({ contentType, body }) => ({ status: 200, contentType, body: Buffer.from(body) }));
    try {
      return await last;
    } finally {
      const endedAt = performance.now();
      freshUntil = endedAt + 9 * (endedAt - startedAt);
    }
  };
}

async function serve(address: string, limits: ServerLimits, routes: Routes): Promise<SmallServer> {
  const server = await listen(async (request, response) => await answer(routes, request, response), {
    address,
    limits,
  });
  return { port: server.port, close: async () => await server.close(0) };
}

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = routes.get((request.url ?? "").split("?", 1)[0]!);
  if (route === undefined) return send(response, text(404, "not found"));
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, text(405, "only GET"));
  }
  try {
    send(response, await route());
  } catch {
    send(response, text(500, "failed"));
  }
}

/** Node leaves the body out where the request was HEAD. */
function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response
    .writeHead(status, {
      "content-type": contentType,
      "content-length": body.length,
      "x-content-type-options": "nosniff",
    })
    .end(body);
}

function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body: Buffer.from(body) };
}
