import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { serverLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { artifactHandler } from "./artifact-server.ts";
import { listen, type Handler, type HttpServer, type ServerLimits } from "./listen.ts";
import { keepNothing, openTestStore } from "../testing/store.ts";

const signal = new AbortController().signal;
const MiB = 1024 * 1024;
let opened: { close(): unknown }[];
beforeEach(() => {
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map(async (one) => await one.close()));
});

async function start(handler: Handler, limits: Partial<ServerLimits> = {}): Promise<HttpServer> {
  const server = await listen(handler, { address: "127.0.0.1:0", limits: { ...serverLimits, ...limits } });
  opened.unshift({ close: async () => await server.close(0) });
  return server;
}

function dial(port: number): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  opened.unshift({ close: () => socket.destroy() });
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

async function ask(port: number, path = "/"): Promise<string> {
  const response = await new Promise<IncomingMessage>((done, fail) => {
    httpRequest({ host: "127.0.0.1", port, path, agent: false }, done).on("error", fail).end();
  });
  return await text(response);
}

/** A handler whose answers wait to be let go. */
function gate(): { handler: Handler; running: string[]; most: () => number; release: () => void } {
  const running: string[] = [];
  const waiting: (() => void)[] = [];
  let most = 0;
  return {
    running,
    most: () => most,
    release: () => waiting.splice(0).forEach((go) => go()),
    handler: async (request, response) => {
      running.push(request.url!);
      most = Math.max(most, running.length);
      await new Promise<void>((done) => waiting.push(done));
      running.splice(running.indexOf(request.url!), 1);
      response.end(request.url);
    },
  };
}

/** Sends so many requests at once, and returns all answers. */
async function ahead(port: number, count: number): Promise<string> {
  const socket = dial(port);
  socket.write(get("/x").repeat(count - 1) + get("/x").replace("host", "connection: close\r\nhost"));
  return await text(socket);
}

describe("requests that are sent ahead", () => {
  test("are answered in turn, one at a time", async () => {
    const { handler, running, most, release } = gate();
    const { port } = await start(handler);
    const socket = dial(port);
    const paths = Array.from({ length: 20 }, (_, at) => `/${at}`);
    socket.write(paths.map(get).join(""));
    let received = "";
    socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    for (const path of paths) {
      await vi.waitFor(() => expect(running).toEqual([path]), { interval: 1 });
      release();
    }
    await vi.waitFor(() => expect(received.match(/\/\d+$|\/\d+(?=HTTP)/g)).toEqual(paths));
    expect(most()).toBe(1);
  });

  test("of another connection do not wait for them", async () => {
    const { handler, running, release } = gate();
    const { port } = await start(handler);
    dial(port).write(get("/a").repeat(5));
    dial(port).write(get("/b"));
    await vi.waitFor(() => expect(running.toSorted()).toEqual(["/a", "/b"]));
    release();
  });

  test.each<[string, number, Partial<ServerLimits>]>([
    ["on one connection", 1, { maxAhead: 10 }],
    ["on all together", 8, { maxAheadInAll: 20 }],
  ])("end the connection where they are too many %s", async (_, connections, limits) => {
    const { handler, running, most, release } = gate();
    const { port } = await start(handler, limits);
    const sockets = Array.from({ length: connections }, () => dial(port));
    const closed = Promise.race(sockets.map((socket) => new Promise((done) => socket.resume().once("close", done))));
    for (const socket of sockets) socket.write(get("/").repeat(100));
    // Who waits for each answer is served all the while.
    const answer = ask(port, "/honest");
    await vi.waitFor(() => expect(running).toContain("/honest"));
    await closed;
    expect(most()).toBeLessThanOrEqual(connections + 1);
    const releasing = setInterval(release, 1);
    try {
      expect(await answer).toBe("/honest");
      // What was counted for those who were cut is given back.
      expect((await ahead(port, 5)).match(/\/x/g)).toHaveLength(5);
    } finally {
      clearInterval(releasing);
    }
  });

  test("after one with a body are not answered, nor counted for ever", async () => {
    const { port } = await start((_, response) => void response.end("x"), { maxAheadInAll: 3 });
    for (let round = 0; round < 5; round++) {
      const socket = dial(port);
      socket.write(`GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc${get("/")}`);
      expect((await text(socket)).match(/HTTP\/1.1/g)).toHaveLength(1);
    }
    expect(await ask(port)).toBe("x");
  });

  test("with large files hold one open file a connection, and an honest client is served meanwhile", async () => {
    const dir = await mkdtemp(join(tmpdir(), "strata-pipelining-"));
    opened.push({ close: async () => await rm(dir, { recursive: true }) });
    const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
    const path = join(dir, "staged");
    const content = Buffer.alloc(8 * MiB, 1);
    await writeFile(path, content);
    const digest = sha256Of(content);
    const root = join(dir, "data");
    const store = await openTestStore(root, { retention: keepNothing });
    const blob = { path, digest, size: content.length, contentDigest: digest, verbatim: false };
    const artifact = await store.publish({ owner, blob, revision: `v@${digest}`, metadata: {} }, signal);
    const { port } = await start(artifactHandler({ root, ready: () => true }));
    const before = (await readdir("/proc/self/fd")).length;
    // The kernel takes some MiB for a client that reads nothing.
    const sockets = Array.from({ length: 20 }, () => dial(port).pause());
    for (const socket of sockets) socket.write(get(`/${artifact.path}`).repeat(20));
    await new Promise((done) => setTimeout(done, 300));
    // Both ends of the connections are in this process.
    expect((await readdir("/proc/self/fd")).length - before).toBeLessThanOrEqual(3 * sockets.length + 5);
    expect((await ask(port, `/${artifact.path}`)).length).toBeGreaterThan(0);
  });
});

describe("connections that say nothing", () => {
  const limits = { maxConnections: 10, maxConnectionsPerAddress: 10 };

  test("make way for others, who has idled longest first", async () => {
    const { port } = await start((_, response) => void response.end("x"), limits);
    const sockets = Array.from({ length: 10 }, () => dial(port));
    const gone: number[] = [];
    sockets.forEach((socket, at) => socket.resume().once("close", () => gone.push(at)));
    // The first is the last to have been heard of.
    for (const socket of [...sockets, sockets[0]!]) {
      socket.write(get("/"));
      await new Promise((done) => socket.once("data", done));
    }
    for (const next of [[1], [1, 2], [1, 2, 3]]) {
      dial(port);
      await vi.waitFor(() => expect(gone).toEqual(next));
    }
    expect(await ask(port)).toBe("x");
  });

  test("do not make way where all others are being answered", async () => {
    const { handler, running, release } = gate();
    const { port } = await start(handler, limits);
    const sockets = Array.from({ length: 10 }, (_, at) => {
      const socket = dial(port).resume();
      socket.write(get(`/${at}`));
      return socket;
    });
    await vi.waitFor(() => expect(running).toHaveLength(10));
    await expect(ask(port)).rejects.toThrow(/socket hang up|ECONNRESET/);
    release();
    await vi.waitFor(() => expect(running).toEqual([]));
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    const answer = ask(port, "/later");
    await vi.waitFor(() => expect(running).toEqual(["/later"]));
    release();
    expect(await answer).toBe("/later");
  });

  test("from one address leave room for others", async () => {
    const server = await listen((_, response) => void response.end("x"), {
      address: "0.0.0.0:0",
      limits: { ...serverLimits, maxConnections: 10, maxConnectionsPerAddress: 4 },
    });
    opened.unshift({ close: async () => await server.close(0) });
    const from = (localAddress: string): Socket =>
      connect({ port: server.port, host: "127.0.0.1", localAddress }).on("error", () => undefined);
    const [many, few] = [
      Array.from({ length: 8 }, () => from("127.0.0.2")),
      Array.from({ length: 4 }, () => from("127.0.0.3")),
    ];
    for (const socket of [...many, ...few]) opened.unshift({ close: () => socket.resume().destroy() });
    for (const socket of many) socket.resume();
    await vi.waitFor(() => expect(many.filter((socket) => socket.closed)).toHaveLength(4));
    expect(few.filter((socket) => socket.closed)).toEqual([]);
  });
});

describe("slow readers", () => {
  test("a thousand of them hold 64 MiB at most, and delay nobody", async () => {
    const dir = await mkdtemp(join(tmpdir(), "strata-slow-"));
    opened.push({ close: async () => await rm(dir, { recursive: true }) });
    const file = await open(join(dir, "large"), "w+");
    opened.push({ close: async () => await file.close() });
    await file.truncate(256 * MiB);
    const { fileContent, sendContent } = await import("./send-content.ts");
    const { port } = await start(async (request, response) => {
      if (request.url === "/small") return void response.end("x");
      const content = (await fileContent({ path: join(dir, "large"), digest: sha256Of("x"), size: undefined }, {}))!;
      await sendContent(request, response, content);
    });
    const before = process.memoryUsage();
    const sockets = Array.from({ length: 1000 }, () => dial(port).pause());
    let connected = 0;
    for (const socket of sockets) socket.once("connect", () => connected++).write(get("/"));
    await vi.waitFor(() => expect(connected).toBe(1000), { timeout: 10_000 });
    // It does not matter how long that takes on a busy machine, as long as the answer is not behind all theirs.
    expect(await ask(port, "/small")).toBe("x");
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(24 * MiB);
  }, 30_000);
});
