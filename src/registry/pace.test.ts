import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { registryDefaults } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { testClient } from "../testing/registry/client.ts";
import { defaultLimits } from "../config.ts";
import type { WritableRepository } from "../oci/content.ts";

/** 4 kB a second, looked at five times a second. */
const pace = { leastBytesPerSecond: 4000, windowMs: 200, graceMs: 400 };
const never = new AbortController().signal;
const content = Buffer.alloc(60_000, "x");
const blob: Descriptor = {
  mediaType: "application/octet-stream",
  digest: sha256Of(content),
  size: content.length,
};

let server: Server | undefined;
let client = testClient();
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await client.close();
});

async function repositoryOf(
  answer: Parameters<typeof createServer>[1] & object,
  access: { timeoutMs?: number; limits?: typeof pace } = {},
): Promise<WritableRepository> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  client = testClient({ pace: access.limits ?? pace, retry: { attempts: 10, baseMs: 1, maxMs: 5, maxWaitMs: 1500 } });
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return client.repository(
    { registry, repository: "app" },
    { insecure: true, timeoutMs: access.timeoutMs ?? 2000, limits: defaultLimits },
  );
}

/** Sends the content in pieces, from where it is asked for. */
const sender = (bytes: number, everyMs: number): Parameters<typeof createServer>[1] & object => {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": content.length - from,
      ...(from > 0 && { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    let at = from;
    const timer = setInterval(() => {
      response.write(content.subarray(at, at + bytes));
      at += bytes;
      if (at < content.length) return;
      clearInterval(timer);
      response.end();
    }, everyMs);
    response.on("close", () => clearInterval(timer));
  };
};
const download = async (repository: WritableRepository): Promise<Buffer> =>
  await buffer(await repository.fetch(blob, never));

describe("a download", () => {
  it("that brings less than the least rate fails soon, and says so", async () => {
    const repository = await repositoryOf(sender(5, 10));
    const started = performance.now();
    await expect(download(repository)).rejects.toMatchObject({
      code: "RegistryTimeout",
      message: expect.stringMatching(
        /^GET http:\/\/127.*blobs.*: \d+ bytes in 0\.2 s; at least 4000 bytes a second are needed$/,
      ),
    });
    expect(performance.now() - started).toBeLessThan(1900);
  });

  it("on a slow link is whole", async () => {
    const repository = await repositoryOf(sender(1000, 10));
    expect((await download(repository)).equals(content)).toBe(true);
  });

  it("is not blamed for what its reader takes", async () => {
    const repository = await repositoryOf((_, response) => void response.end(content));
    const stream = await repository.fetch(blob, never);
    await sleep(600);
    expect((await buffer(stream)).equals(content)).toBe(true);
  });

  it("ends in a time that follows from its size, however often it is cut and goes on", async () => {
    let requests = 0;
    // Fast enough in every window, and never further: each answer is cut off before the first look.
    const repository = await repositoryOf(
      (request, response) => {
        requests++;
        void sleep(150).then(() => {
          sender(10, 2)(request, response);
          setTimeout(() => response.destroy(), 20);
        });
      },
      { limits: { ...pace, graceMs: -14_900 } },
    );
    await expect(download(repository)).rejects.toMatchObject({ code: expect.stringMatching(/^Registry/) });
    expect(requests).toBeLessThan(10);
  });
});

describe("a push", () => {
  const push = async (repository: WritableRepository, body = content): Promise<void> =>
    await repository.pushBlob(
      { ...blob, digest: sha256Of(body), size: body.length },
      (offset) => Readable.from([body.subarray(offset)], { objectMode: false }),
      never,
    );
  const large = Buffer.alloc(24 * 1024 * 1024, "y");

  it("that is not taken fails soon, and says so", async () => {
    const repository = await repositoryOf((request, response) => {
      if (request.method === "POST") response.writeHead(202, { location: "/v2/app/blobs/uploads/1" }).end();
      else if (request.method === "PUT") request.pause();
      else response.writeHead(404).end();
    });
    const started = performance.now();
    await expect(push(repository, large)).rejects.toMatchObject({
      code: "RegistryTimeout",
      message: expect.stringContaining("at least 4000 bytes a second"),
    });
    // At the least rate it would take 100 minutes.
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it("whose answer drips is over in time", async () => {
    const repository = await repositoryOf(
      (request, response) => {
        if (request.method === "POST")
          return void response.writeHead(202, { location: "/v2/app/blobs/uploads/1" }).end();
        request.resume();
        response.writeHead(201);
        const timer = setInterval(() => response.write("."), 20);
        response.on("close", () => clearInterval(timer));
      },
      { timeoutMs: 200 },
    );
    const started = performance.now();
    await push(repository);
    expect(performance.now() - started).toBeLessThan(1900);
  });
});

describe("an answer", () => {
  const hangs: Parameters<typeof createServer>[1] & object = () => undefined;
  const drips: Parameters<typeof createServer>[1] & object = (_, response) => {
    response.writeHead(200, { "content-type": "application/vnd.oci.image.manifest.v1+json", "content-length": 5000 });
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };
  const refusesSlowly: Parameters<typeof createServer>[1] & object = (_, response) => {
    response.writeHead(503);
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };

  it.each([
    ["that never comes", hangs],
    ["that drips", drips],
    ["that refuses, and drips", refusesSlowly],
  ])("%s is waited for as long as timeout says, all attempts together", async (_, answer) => {
    const repository = await repositoryOf(answer, { timeoutMs: 400 });
    const started = performance.now();
    const answers = await Promise.allSettled([
      repository.resolve("v1", never, "read"),
      Array.fromAsync(repository.tags(never)),
      repository.referrers(blob.digest, never),
    ]);
    const failed = { code: expect.stringMatching(/^Registry(Timeout|Unavailable)$/) };
    for (const settled of answers) expect(settled).toMatchObject({ status: "rejected", reason: failed });
    expect(performance.now() - started).toBeLessThan(2500);
  });

  it.each([
    ["hangs", hangs],
    ["refuses, and drips", refusesSlowly],
  ])("to a download that %s is waited for no longer", async (_, answer) => {
    const repository = await repositoryOf(answer, { timeoutMs: 400 });
    const started = performance.now();
    await expect(repository.fetch(blob, never)).rejects.toMatchObject({ code: expect.stringMatching(/^Registry/) });
    expect(performance.now() - started).toBeLessThan(2500);
  });

  it("says what has failed rather than that the time is over", async () => {
    const repository = await repositoryOf(
      (_, response) => void response.writeHead(503, { "retry-after": "10" }).end(),
      {
        timeoutMs: 5000,
      },
    );
    await expect(repository.resolve("v1", never)).rejects.toMatchObject({
      code: "RegistryUnavailable",
      retryAfterMs: 10_000,
    });
  });
});

it("a client that is destroyed waits for nothing", async () => {
  const repository = await repositoryOf(() => undefined);
  const asking = repository.resolve("v1", never).catch((error: unknown) => error);
  await expect.poll(() => server!.listening).toBe(true);
  await sleep(50);
  const started = performance.now();
  await client.destroy();
  expect(await asking).toBeInstanceOf(Error);
  expect(performance.now() - started).toBeLessThan(1800);
});

it("the real limits let a slow line pass and no drip", () => {
  const { leastBytesPerSecond, windowMs } = registryDefaults.pace;
  // A line of 300 kB/s that 32 downloads share; 50 B/s.
  expect(300_000 / 32).toBeGreaterThan(leastBytesPerSecond);
  expect(50).toBeLessThan(leastBytesPerSecond);
  expect(windowMs).toBeLessThanOrEqual(15_000);
});
