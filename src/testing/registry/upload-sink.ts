import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface UploadPart {
  readonly method: string;
  /** `Content-Range` of the request. */
  readonly range: string | undefined;
  /** Its `Content-Length`. */
  readonly length: number;
}

/** A registry that has nothing and keeps nothing: for blobs too large to be held. */
export interface UploadSink extends AsyncDisposable {
  readonly host: string;
  /** Requests that brought content, in the order they came. */
  readonly parts: readonly UploadPart[];
}

/** @param take reads the body of a request, or does not; answered when it is done */
export async function startUploadSink(take: (request: IncomingMessage) => Promise<unknown>): Promise<UploadSink> {
  const parts: UploadPart[] = [];
  const server = createServer((request, response) => {
    const { method = "", headers } = request;
    const answer = (status: number): void =>
      void response.writeHead(status, { location: "/upload", "content-length": 0 }).end();
    if (method === "GET" || method === "HEAD") return answer(404);
    if (method === "POST") return answer(202);
    parts.push({ method, range: headers["content-range"], length: Number(headers["content-length"]) });
    // A client that gives up takes its request with it.
    take(request).then(
      () => answer(method === "PUT" ? 201 : 202),
      () => request.destroy(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    parts,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** For a sink that reads nothing: it has what the connection holds, and no more. */
export const takeNothing = async (): Promise<never> => await new Promise<never>(() => undefined);
