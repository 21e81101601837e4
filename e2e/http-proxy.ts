import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { listenOnLoopback } from "./loopback.ts";
import type { Workspace } from "./workspace.ts";

/** An HTTP proxy in front of a registry, such as a busy load balancer: it refuses, and it never states a length. */
export interface HttpProxy {
  /** `127.0.0.1:5000` */
  readonly host: string;
  readonly url: string;
  /** Answers the next GETs with these statuses, in this order, instead of asking the registry. */
  refuse(statuses: readonly number[], headers?: Readonly<Record<string, string>>): void;
  /** Statuses sent so far, by itself and by the registry. */
  readonly statuses: readonly number[];
}

/** Bodies are sent chunked, without Content-Length, in pieces of a few bytes where they are small. */
export async function startChunkingProxy(workspace: Workspace, targetPort: number): Promise<HttpProxy> {
  const statuses: number[] = [];
  const refusals: { status: number; headers: Readonly<Record<string, string>> }[] = [];
  const server = createServer((incoming, response) => {
    response.on("finish", () => statuses.push(response.statusCode));
    const refusal = incoming.method === "GET" ? refusals.shift() : undefined;
    if (refusal !== undefined)
      response
        .writeHead(refusal.status, refusal.headers)
        .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}');
    else forward(incoming, response, targetPort);
  });
  const host = await listenOnLoopback(workspace, server);
  return {
    host,
    url: `http://${host}`,
    refuse: (next, headers = {}) => void refusals.push(...next.map((status) => ({ status, headers }))),
    statuses,
  };
}

function forward(incoming: IncomingMessage, response: ServerResponse, port: number): void {
  const { method = "GET", url: path = "/", headers } = incoming;
  const upstream = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (answer) => {
    const { "content-length": _, ...rest } = answer.headers;
    // A HEAD has no body whose framing could differ; its length is what resolving reads.
    response.writeHead(answer.statusCode ?? 502, method === "HEAD" ? answer.headers : rest);
    void sendInPieces(answer, response);
  });
  upstream.on("error", () => response.destroy());
  incoming.pipe(upstream);
}

async function sendInPieces(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  await pipeline(answer, pieces, response).catch(() => response.destroy());
}

async function* pieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    const length = Math.max(7, Math.ceil(chunk.length / 16));
    for (let at = 0; at < chunk.length; at += length) yield chunk.subarray(at, at + length);
  }
}
