import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { registryDefaults } from "../config.ts";
import type { Question } from "../http/ask.ts";
import { startProxy } from "../testing/registry/proxy.ts";
import { askOutside } from "./ask.ts";

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** `http://127.0.0.1:…` */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const question = (url: string, more: Partial<Question> = {}): Question => ({
  url: new URL(url),
  timeoutMs: 5000,
  maxBytes: 100,
  ...more,
});
const ask = askOutside(registryDefaults);

describe("a question to a server that nobody has configured", () => {
  it("is asked by GET or by POST, without credentials, and leaves no connection behind", async () => {
    const asked: unknown[] = [];
    const url = await serve((request, response) => {
      const { method, headers } = request;
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        asked.push([method, headers["content-type"], headers.authorization, Buffer.concat(chunks).toString()]);
        response.end("answer");
      });
    });
    const user = url.replace("http://", "http://user:password@");
    expect((await ask(question(user), signal)).toString()).toBe("answer");
    await ask(question(url, { body: { type: "text/plain", bytes: Buffer.from("hello") } }), signal);
    expect(asked).toEqual([
      ["GET", undefined, undefined, ""],
      ["POST", "text/plain", undefined, "hello"],
    ]);
    await vi.waitFor(async () => {
      const open = await new Promise<number>((resolve) => servers[0]?.getConnections((_, count) => resolve(count)));
      expect(open).toBe(0);
    });
  });

  it.each<[string, RequestListener, Partial<Question>, string]>([
    ["another status", (_, response) => void response.writeHead(404).end(), {}, "NotFound"],
    ["a body that is too large", (_, response) => void response.end("x".repeat(101)), {}, "RegistryResponseInvalid"],
    ["no answer in time", () => undefined, { timeoutMs: 50 }, "RegistryTimeout"],
    ["half an answer in time", (_, response) => void response.write("x"), { timeoutMs: 50 }, "RegistryTimeout"],
    [
      "a way to a metadata service",
      (_, response) => void response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
      {},
      "EndpointRefused",
    ],
    [
      "a way without an end",
      (_, response) => void response.writeHead(302, { location: "/again" }).end(),
      {},
      "RegistryResponseInvalid",
    ],
  ])("fails with %s", async (_, listener, more, code) => {
    await expect(ask(question(await serve(listener), more), signal)).rejects.toMatchObject({ code });
  });

  it.each(["http://169.254.169.254/x", "http://metadata.google.internal/", "http://[::ffff:169.254.169.254]/"])(
    "is not asked of %s",
    async (url) => {
      await expect(ask(question(url), signal)).rejects.toMatchObject({ code: "EndpointRefused" });
    },
  );

  it("goes through the environment's proxy", async () => {
    const url = await serve((_, response) => void response.end("answer"));
    await using proxy = await startProxy({ resolve: () => new URL(url).host });
    const askThrough = askOutside({ ...registryDefaults, environmentProxy: { httpProxy: proxy.url } });
    expect((await askThrough(question("http://ocsp.test/x"), signal)).toString()).toBe("answer");
    expect(proxy.requests).toHaveLength(1);
  });

  it("ends with the work that it is for", async () => {
    const url = await serve(() => undefined);
    await expect(ask(question(url), AbortSignal.timeout(50))).rejects.toMatchObject({ code: "Aborted" });
  });
});
