import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { collectAnswer, type Answer } from "./answer.ts";

let server: Server;
let agent: Agent;
let answer: (response: ServerResponse, path: string) => void;

beforeEach(async () => {
  server = createServer((request, response) => answer(response, request.url ?? ""));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  agent = new Agent({ connections: 1, pipelining: 1 });
});
afterEach(async () => {
  await agent.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const never = new AbortController().signal;
const collect = async (path = "/", signal: AbortSignal = never): Promise<Answer> =>
  await collectAnswer(
    agent,
    { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, path, method: "GET" },
    { maxBytes: 1000, signal },
  );

test("an answer in pieces is one body, with its status and Retry-After", async () => {
  answer = (response) => {
    response.writeHead(200, { "retry-after": "7" });
    response.write("first ");
    setTimeout(() => response.end("second"), 20);
  };
  const { body, ...head } = await collect();
  expect({ ...head, body: body.toString() }).toEqual({
    status: 200,
    retryAfter: "7",
    date: expect.any(String),
    isWhole: true,
    body: "first second",
  });
});

test("an answer without a body is an empty one", async () => {
  answer = (response) => void response.writeHead(204).end();
  expect(await collect()).toEqual({
    status: 204,
    retryAfter: undefined,
    date: expect.any(String),
    isWhole: true,
    body: Buffer.alloc(0),
  });
});

test.each([
  [1000, true],
  [1001, false],
])("of %i bytes at most 1,000 are taken", async (size, isWhole) => {
  answer = (response) => void response.end("x".repeat(size));
  expect((await collect()).isWhole).toBe(isWhole);
});

test("an endless answer is let go of", async () => {
  const closed = Promise.withResolvers<void>();
  answer = (response) => {
    response.on("close", () => closed.resolve());
    const more = (): void => void (response.write("x".repeat(64)) && setImmediate(more));
    more();
  };
  expect((await collect()).body.length).toBeLessThanOrEqual(1000);
  await closed.promise;
});

test("an answer that breaks off fails, unless it is an error: then its status counts", async () => {
  answer = (response, path) => {
    response.writeHead(path === "/error" ? 503 : 200, { "content-length": "100" });
    response.write("a part", () => response.destroy());
  };
  await expect(collect()).rejects.toMatchObject({ code: "UND_ERR_SOCKET" });
  expect(await collect("/error")).toMatchObject({ status: 503, isWhole: false });
});

test.each(["the head", "the body", "a connection"])("who stops while waiting for %s waits no longer", async (what) => {
  const [stop, reason] = [new AbortController(), new Error("enough")];
  const seen: string[] = [];
  const waiting = Promise.withResolvers<void>();
  answer = (response, path) => {
    seen.push(path);
    if (what === "the body") response.writeHead(200).write("a part");
    setTimeout(() => waiting.resolve(), 20);
  };
  const first = what === "a connection" ? collect("/first") : undefined;
  first?.catch(() => undefined);
  const stopped = collect("/stopped", stop.signal);
  await waiting.promise;
  stop.abort(reason);
  await expect(stopped).rejects.toBe(reason);
  if (what === "a connection") expect(seen).toEqual(["/first"]);
});
