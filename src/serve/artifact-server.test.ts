import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serverLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { listen, type HttpServer, type ServerLimits } from "./listen.ts";
import type { Artifact, ArtifactStore } from "../store/store.ts";
import { artifactHandler } from "./artifact-server.ts";
import { keepNothing, openTestStore } from "../testing/store.ts";

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const signal = new AbortController().signal;

let dir: string;
let store: ArtifactStore;
let server: HttpServer;
let ready: boolean;
let errors: unknown[];

async function start(limits: Partial<ServerLimits> = {}): Promise<HttpServer> {
  const options = {
    address: "127.0.0.1:0",
    limits: { ...serverLimits, ...limits },
    onError: (error: unknown) => errors.push(error),
  };
  return await listen(artifactHandler({ root: join(dir, "data"), ready: () => ready }), options);
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-server-"));
  store = await openTestStore(join(dir, "data"), { retention: keepNothing });
  ready = true;
  errors = [];
  server = await start();
});
afterEach(async () => {
  await server.close(0);
  await rm(dir, { recursive: true });
  expect(errors).toEqual([]);
});

async function publish(content: string | Buffer): Promise<Artifact> {
  const path = join(dir, "staged");
  await writeFile(path, content);
  const digest = sha256Of(content);
  const blob = { path, digest, size: Buffer.byteLength(content), contentDigest: digest, verbatim: false };
  return await store.publish({ owner, blob, revision: `v@${digest}`, metadata: {} }, signal);
}

/** Unlike fetch, it sends the path and headers exactly as they are. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; port?: number } = {},
): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const { port = server.port, ...rest } = options;
    httpRequest({ host: "127.0.0.1", port, path, agent: false, ...rest }, done)
      .on("error", fail)
      .end();
  });
}

const latest = "/artifactrepository/apps/podinfo/latest.tar.gz";

describe("the artifact server", () => {
  test("serves an artifact under its own path, and the current one as latest", async () => {
    const one = await publish("one");
    const response = await ask(`/${one.path}`);
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "application/gzip",
      "content-length": "3",
      etag: `"${one.digest}"`,
      "accept-ranges": "bytes",
    });
    expect(Date.parse(response.headers["last-modified"] ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(await text(response)).toBe("one");
    expect(await text(await ask(latest))).toBe("one");
    await publish("two");
    const newest = await ask(latest);
    expect(newest.headers["cache-control"]).toBe("no-cache");
    expect(await text(newest)).toBe("two");
  });

  test("answers HEAD without a body", async () => {
    const { path } = await publish("one");
    const response = await ask(`/${path}`, { method: "HEAD" });
    expect([response.statusCode, response.headers["content-length"], await text(response)]).toEqual([200, "3", ""]);
  });

  test("answers 304 to who has it, and sends what has changed since", async () => {
    const one = await publish("one");
    const headers = { "if-none-match": `"${one.digest}"` };
    const same = await ask(latest, { headers });
    expect([same.statusCode, same.headers.etag, await text(same)]).toEqual([304, `"${one.digest}"`, ""]);
    await publish("two");
    expect((await ask(latest, { headers })).statusCode).toBe(200);
  });

  test.each<[Record<string, string>, number, string, string | undefined]>([
    [{ range: "bytes=2-4" }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=-2" }, 206, "89", "bytes 8-9/10"],
    [{ range: "bytes=7-" }, 206, "789", "bytes 7-9/10"],
    [{ range: "bytes=10-" }, 416, "", "bytes */10"],
    [{ range: "bytes=0-1,3-4" }, 200, "0123456789", undefined],
    [{ range: "bytes=2-4", "if-range": `"${sha256Of("0123456789")}"` }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=2-4", "if-range": '"sha256:other"' }, 200, "0123456789", undefined],
    [{ range: "bytes=2-4", "if-range": `W/"${sha256Of("0123456789")}"` }, 200, "0123456789", undefined],
    [{ range: "bytes=2-4", "if-range": new Date().toUTCString() }, 200, "0123456789", undefined],
  ])("%j gives %i", async (headers, status, body, contentRange) => {
    const { path } = await publish("0123456789");
    const response = await ask(`/${path}`, { headers });
    expect([response.statusCode, await text(response), response.headers["content-range"]]).toEqual([
      status,
      body,
      contentRange,
    ]);
  });

  test("serves an empty file", async () => {
    const response = await ask(`/${(await publish("")).path}`);
    expect([response.statusCode, await text(response)]).toEqual([200, ""]);
  });

  test("lists nothing, and serves nothing but artifacts", async () => {
    const { path } = await publish("one");
    const directory = path.slice(0, path.lastIndexOf("/"));
    await writeFile(join(dir, "data/secret"), "s");
    await writeFile(join(dir, "secret"), "s");
    await symlink(join(dir, "secret"), join(dir, "data", directory, `${"b".repeat(64)}.tar.gz`));
    await mkdir(join(dir, "data", directory, `${"c".repeat(64)}.tar.gz`));
    await symlink(join(dir, "data/artifactrepository/apps"), join(dir, "data/artifactrepository/linked"));
    const paths = [
      "/",
      "//",
      "/artifactrepository",
      `/${directory}`,
      `/${directory}/`,
      `/${directory}/state.json`,
      `/${directory}/${"b".repeat(64)}.tar.gz`,
      `/${directory}/${"c".repeat(64)}.tar.gz`,
      "/artifactrepository/linked/podinfo/latest.tar.gz",
      "/secret",
      "/../secret",
      "/..%2fsecret",
      "/%2e%2e/secret",
      `/${directory}/../../../../secret`,
      `/${directory}/..%2f..%2f..%2f..%2fsecret`,
      `//${path}`,
      `/${path}/`,
      `/${path}%00`,
      `/${path.replaceAll("/", "%2f")}`,
      `/${path.replace("artifactrepository", "ArtifactRepository")}`,
      "*",
      "http://example.com",
    ];
    const statuses = await Promise.all(paths.map(async (path) => (await ask(path)).statusCode));
    const linked = statuses.splice(8, 1);
    expect(statuses).toEqual(paths.slice(1).map(() => 404));
    // What was put there by somebody with access to the disk is an error of ours to report, but never followed.
    expect(linked).toEqual([500]);
    expect(errors.splice(0)).toMatchObject([{ code: "StorageFailed" }]);
    expect((await ask(`http://strata.example/${path}`)).statusCode).toBe(200);
  });

  test("tells of artifacts that are asked for and are not there", async () => {
    const missing: string[] = [];
    const telling = await listen(
      artifactHandler({
        root: join(dir, "data"),
        ready: () => true,
        onMissing: ({ directory, file }) => missing.push(`/${directory}/${file}`),
      }),
      { address: "127.0.0.1:0", limits: serverLimits },
    );
    const { path } = await publish("one");
    const gone = latest.replace("podinfo", "gone");
    for (const asked of [`/${path}`, latest, gone, "/nonsense"]) await ask(asked, { port: telling.port });
    await rm(join(dir, "data", path));
    for (const asked of [`/${path}`, latest]) await ask(asked, { port: telling.port });
    await telling.close(0);
    expect(missing).toEqual([gone, `/${path}`, latest]);
  });

  test.each([
    ["empty", 0],
    ["shorter", 2],
    ["longer", 4],
  ])("serves no file that has become %s, and tells of it", async (_, size) => {
    const missing: string[] = [];
    const onMissing = ({ file }: { readonly file: string }): unknown => missing.push(file);
    const telling = await listen(artifactHandler({ root: join(dir, "data"), ready: () => true, onMissing }), {
      address: "127.0.0.1:0",
      limits: serverLimits,
    });
    const { path } = await publish("one");
    await truncate(join(dir, "data", path), size);
    const answers = await Promise.all(
      [`/${path}`, latest].map(async (asked) => await ask(asked, { port: telling.port })),
    );
    await telling.close(0);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([404, 404]);
    expect(new Set(missing)).toEqual(new Set([path.split("/").at(-1), "latest.tar.gz"]));
  });

  test("takes nothing", async () => {
    const { path } = await publish("one");
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
      const response = await ask(`/${path}`, { method });
      expect([response.statusCode, response.headers.allow]).toEqual([405, "GET, HEAD"]);
    }
  });

  test("answers 503 while it may be out of date, except for what its digest names", async () => {
    const { path } = await publish("one");
    const [latest, missing] = [
      path.replace(/[^/]+$/, "latest.tar.gz"),
      path.replace(/[^/]+$/, `${"0".repeat(64)}.tar.gz`),
    ];
    ready = false;
    expect((await ask(`/${path}`)).statusCode).toBe(200);
    for (const other of [latest, missing, "nothing"]) {
      const response = await ask(`/${other}`);
      expect([response.statusCode, response.headers["retry-after"]]).toEqual([503, "5"]);
    }
    ready = true;
    expect([(await ask(`/${latest}`)).statusCode, (await ask(`/${missing}`)).statusCode]).toEqual([200, 404]);
  });

  test("sends to its end what is deleted meanwhile", async () => {
    const content = Buffer.alloc(8_000_000, "x");
    const { path } = await publish(content);
    const response = await ask(`/${path}`);
    await store.remove(owner);
    expect((await buffer(response)).equals(content)).toBe(true);
    expect((await ask(`/${path}`)).statusCode).toBe(404);
  });

  test("never passes a file that has become shorter for a whole one", async () => {
    const { path } = await publish(Buffer.alloc(30_000_000));
    const response = await ask(`/${path}`);
    await truncate(join(dir, "data", path), 20_000_000);
    await expect(buffer(response)).rejects.toThrow("aborted");
    // The client may know first.
    await expect.poll(() => errors.splice(0)).toMatchObject([{ code: "SizeMismatch" }]);
  });

  test("does not hold in memory what a slow client has not taken", async () => {
    const { path } = await publish(Buffer.alloc(64_000_000));
    const before = process.memoryUsage().arrayBuffers;
    const response = await ask(`/${path}`);
    response.pause();
    await delay(150);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8_000_000);
    response.destroy();
  });

  test("a client that hangs up leaves no open file", async () => {
    const { path } = await publish(Buffer.alloc(64_000_000));
    const responses = await Promise.all(Array.from({ length: 5 }, () => ask(`/${path}`)));
    for (const response of responses) response.on("error", () => {}).destroy();
    await server.close(2000);
    server = await start();
    expect((await ask(`/${path}`, { headers: { range: "bytes=0-0" } })).statusCode).toBe(206);
  });
});

describe("clients that misbehave", () => {
  const rawStatus = async (bytes: string, port = server.port): Promise<string> => {
    const socket = connect(port, "127.0.0.1");
    socket.write(bytes);
    return (await text(socket)).split("\r\n", 1)[0] ?? "";
  };

  test.each([
    "GET /a b HTTP/1.1\r\n\r\n",
    "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
    "nonsense\r\n\r\n",
    `GET /${"a".repeat(20_000)} HTTP/1.1\r\n\r\n`,
  ])("%j", async (bytes) => {
    expect(await rawStatus(bytes)).toMatch(/^HTTP\/1\.1 4\d\d/);
  });

  test("get no more time than they need to say what they want", async () => {
    const impatient = await start({ headersTimeoutMs: 50, requestTimeoutMs: 50 });
    try {
      const socket = connect(impatient.port, "127.0.0.1");
      socket.write("GET / HTTP/1.1\r\nhost: x\r\n");
      const closed = text(socket);
      expect(await Promise.race([closed, delay(1500, "open")])).toMatch(/408|^$/);
    } finally {
      await impatient.close(0);
    }
  });

  test("are cut off when they take next to nothing", async () => {
    const { path } = await publish(Buffer.alloc(64_000_000));
    const strict = await start({ slowClientMs: 100 });
    try {
      const response = await ask(`/${path}`, { port: strict.port });
      await delay(500);
      await expect(buffer(response)).rejects.toThrow("aborted");
    } finally {
      await strict.close(0);
    }
  });
});

describe("closing", () => {
  test("lets a running response finish, and accepts nothing new", async () => {
    const content = Buffer.alloc(8_000_000, "x");
    const { path } = await publish(content);
    const response = await ask(`/${path}`, { headers: { connection: "keep-alive" } });
    const closed = server.close(5000);
    await delay(20);
    await expect(ask(`/${path}`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect((await buffer(response)).length).toBe(content.length);
    await closed;
  });

  test("does not wait for ever", async () => {
    const { path } = await publish(Buffer.alloc(64_000_000));
    const response = await ask(`/${path}`);
    response.on("error", () => {}).pause();
    const before = Date.now();
    await server.close(100);
    expect(Date.now() - before).toBeLessThan(2000);
  });
});
