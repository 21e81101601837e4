import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import type { Fault } from "../testing/registry/faults.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";

const signal = new AbortController().signal;
const content = randomBytes(3_000_000);
const client = testClient();
let registry: TestRegistry;
let blob: Descriptor;

const start = async (options: RegistryOptions = {}): Promise<void> => {
  registry = await startRegistry(options);
  blob = registry.store.putBlob("a", content);
};
beforeEach(() => start());
afterEach(() => registry.close());
afterAll(() => client.close());

const read = async (descriptor = blob): Promise<Buffer> =>
  Buffer.concat(
    (await (await testRepository(registry, "a", { client }).fetch(descriptor, signal)).toArray()) as Buffer[],
  );
const ranges = (): (string | undefined)[] => registry.requests.map((request) => request.headers.range);

test("a blob is one request, in large pieces", async () => {
  const pieces = (await (await testRepository(registry, "a", { client }).fetch(blob, signal)).toArray()) as Buffer[];
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
  expect(pieces.slice(0, -1).every((piece) => piece.length >= 256 * 1024)).toBe(true);
  expect(registry.requests).toHaveLength(1);
});

test.each([0, 1])("a blob of %i bytes", async (size) => {
  expect((await read(registry.store.putBlob("a", Buffer.alloc(size)))).length).toBe(size);
});

test("a broken download is resumed where it stopped", async () => {
  registry.faults.add({ cutAfterBytes: 1_000_000 }, { cutAfterBytes: 500_000 });
  expect((await read()).equals(content)).toBe(true);
  const [first, second, third] = registry.requests;
  expect(registry.requests).toHaveLength(3);
  expect(first?.headers.range).toBeUndefined();
  expect(second?.headers["if-range"]).toBe(`"${blob.digest}"`);
  expect(Number(/^bytes=(\d+)-$/.exec(third?.headers.range ?? "")?.[1])).toBeGreaterThan(
    Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? "")?.[1]),
  );
});

test("a download that breaks before its first byte starts again", async () => {
  registry.faults.add({ cutAfterBytes: 0 }, { reset: true });
  expect((await read()).equals(content)).toBe(true);
  expect(ranges()).toEqual([undefined, undefined, undefined]);
});

test("a stalled download is resumed", async () => {
  registry.faults.add({ stallAfterBytes: 700_000 });
  const impatient = testClient({ pace: { leastBytesPerSecond: 4096, windowMs: 300, graceMs: 60_000 } });
  const repository = testRepository(registry, "a", { client: impatient });
  expect(Buffer.concat((await (await repository.fetch(blob, signal)).toArray()) as Buffer[]).equals(content)).toBe(
    true,
  );
  expect(registry.requests).toHaveLength(2);
  await impatient.close();
});

test("a registry without ranges sends all of it again, and only the rest is used", async () => {
  await registry.close();
  await start({ ranges: false });
  registry.faults.add({ cutAfterBytes: 1_500_000 });
  expect((await read()).equals(content)).toBe(true);
  expect(registry.requests.map((request) => request.status)).toEqual([200, 200]);
});

test("a weak validator guards no range", async () => {
  registry.faults.add({ cutAfterBytes: 100_000, headers: { etag: 'W/"x"' } });
  expect((await read()).equals(content)).toBe(true);
  expect(registry.requests[1]?.headers["if-range"]).toBeUndefined();
  expect(registry.requests[1]?.headers.range).toBeDefined();
});

test.each<[string, string | undefined]>([
  ["another start", "bytes 5-2999999/3000000"],
  ["another size", "bytes 100000-2999999/3000001"],
  ["no range at all", undefined],
])("a resumed part with %s is refused", async (_, range) => {
  registry.faults.add({ cutAfterBytes: 100_000 }, { headers: { "content-range": range } });
  await expect(read()).rejects.toMatchObject({ code: "RegistryResponseInvalid" });
});

test("a download that makes no progress is given up", async () => {
  registry.faults.add({ times: 50, cutAfterBytes: 1000 });
  await expect(read()).rejects.toMatchObject({ code: "RegistryUnreachable" });
  expect(registry.requests.length).toBeLessThan(8);
});

test("a download that makes progress goes on, however often it breaks", async () => {
  const large = registry.store.putBlob("a", randomBytes(14_000_000));
  registry.faults.add({ times: 10, cutAfterBytes: 1_300_000 });
  expect(sha256Of(await read(large))).toBe(large.digest);
  expect(registry.requests).toHaveLength(11);
});

test("progress in small steps is progress", async () => {
  const large = registry.store.putBlob("a", randomBytes(6_000_000));
  registry.faults.add({ times: 14, cutAfterBytes: 400_000 });
  expect(sha256Of(await read(large))).toBe(large.digest);
  expect(registry.requests).toHaveLength(15);
});

test("a 503 in between is waited out", async () => {
  registry.faults.add({ cutAfterBytes: 100_000 }, { times: 2, status: 503 });
  expect((await read()).equals(content)).toBe(true);
});

test.each<[string, Partial<Descriptor>, Fault, string]>([
  ["other bytes", {}, { corruptAt: 2_000_000 }, "DigestMismatch"],
  ["another digest in its descriptor", { digest: sha256Of("x") }, { path: /never/ }, "NotFound"],
  ["a longer descriptor", { size: 3_000_001 }, {}, "SizeMismatch"],
  ["a shorter descriptor", { size: 2_999_999 }, {}, "SizeMismatch"],
  [
    "a body longer than announced anywhere",
    { size: 2_999_999 },
    { headers: { "content-length": undefined } },
    "SizeMismatch",
  ],
  ["a size beyond the limit", { size: defaultLimits.maxLayerBytes + 1 }, {}, "SizeMismatch"],
])("a blob with %s is refused", async (_, change, fault, code) => {
  registry.faults.add(fault);
  await expect(read({ ...blob, ...change })).rejects.toMatchObject({ code });
});

test("a body that is shorter than its descriptor, without a length, is not asked for forever", async () => {
  registry.faults.add({ headers: { "content-length": undefined } });
  await expect(read({ ...blob, size: 3_000_001 })).rejects.toMatchObject({ code: "SizeMismatch" });
  expect(registry.requests).toHaveLength(2);
});

test("the wrong bytes never end the stream", async () => {
  registry.faults.add({ corruptAt: 2_999_999 });
  const stream = await testRepository(registry, "a", { client }).fetch(blob, signal);
  let ended = false;
  let size = 0;
  stream.on("end", () => (ended = true)).on("data", (chunk: Buffer) => (size += chunk.length));
  await new Promise((done) => stream.on("error", done));
  expect(ended).toBe(false);
  expect(size).toBeLessThan(3_000_000);
});

test("an abort ends a download that is being read", async () => {
  const abort = new AbortController();
  registry.faults.add({ stallAfterBytes: 500_000 });
  const stream = await testRepository(registry, "a", { client }).fetch(blob, abort.signal);
  setTimeout(() => abort.abort(), 30);
  await expect(stream.toArray()).rejects.toMatchObject({ code: "Aborted" });
});

test("a deadline is told from an abort", async () => {
  registry.faults.add({ stallAfterBytes: 500_000 });
  const stream = await testRepository(registry, "a", { client }).fetch(blob, AbortSignal.timeout(700));
  await expect(stream.toArray()).rejects.toMatchObject({ code: "RegistryTimeout" });
});

test("a reader that does not read holds the sender back, and destroying the stream lets it go", async () => {
  const large = registry.store.putBlob("a", Buffer.alloc(64_000_000));
  let received = 0;
  const counting = testClient({ onBytes: (_, bytes) => (received += bytes) });
  const stream = await testRepository(registry, "a", { client: counting }).fetch(large, signal);
  stream.once("readable", () => undefined);
  await delay(150);
  expect(received).toBeLessThan(4_000_000);
  stream.destroy();
  await delay(20);
  await counting.close();
  expect(received).toBeLessThan(4_000_000);
});

test("a paused reader is not taken for a stalled registry", async () => {
  const large = registry.store.putBlob("a", randomBytes(12_000_000));
  const impatient = testClient({ pace: { leastBytesPerSecond: 4096, windowMs: 300, graceMs: 60_000 } });
  const stream = await testRepository(registry, "a", { client: impatient }).fetch(large, signal);
  stream.once("readable", () => undefined);
  await delay(900);
  expect(sha256Of(Buffer.concat((await stream.toArray()) as Buffer[]))).toBe(large.digest);
  expect(registry.requests).toHaveLength(1);
  await impatient.close();
});

test("a stalled download is let go of at once", async () => {
  registry.faults.add({ stallAfterBytes: 300_000 });
  const own = testClient();
  const stream = await testRepository(registry, "a", { client: own }).fetch(blob, signal);
  stream.once("data", () => setImmediate(() => stream.destroy()));
  const started = performance.now();
  await new Promise((done) => stream.once("close", done));
  await own.close();
  expect(performance.now() - started).toBeLessThan(1000);
});

test("streams that nobody reads leave no connection behind", async () => {
  const own = testClient();
  const stream = await testRepository(registry, "a", { client: own }).fetch(blob, signal);
  stream.destroy();
  await own.close();
  expect(stream.destroyed).toBe(true);
});

test("the storage a registry redirects to is asked for anew, without credentials", async () => {
  await registry.close();
  const cdn = await startRegistry();
  let signature = 0;
  await start({
    auth: { kind: "basic", accounts: { ann: { password: "pw" } } },
    redirectBlob: (repository, digest) => `${cdn.url}/v2/${repository}/blobs/${digest}?signature=${++signature}`,
  });
  cdn.store.putBlob("a", content);
  cdn.faults.add({ cutAfterBytes: 1_000_000 });
  const credentials = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" } as const) };
  const stream = await testRepository(registry, "a", { client, credentials }).fetch(blob, signal);
  expect(Buffer.concat((await stream.toArray()) as Buffer[]).equals(content)).toBe(true);
  expect(registry.requests.map((request) => [request.status, request.headers.authorization !== undefined])).toEqual([
    [401, false],
    [307, true],
    [307, true],
  ]);
  expect(cdn.requests.map((request) => [request.path.split("?")[1], request.headers.authorization])).toEqual([
    ["signature=1", undefined],
    ["signature=2", undefined],
  ]);
  await cdn.close();
});

test("a blob is offered where a HEAD says so, and nothing is read", async () => {
  const { offers } = testRepository(registry, "a", { client });
  expect(await offers!(blob, signal)).toBe(true);
  expect(await offers!({ ...blob, digest: sha256Of("other") }, signal)).toBe(false);
  for (const status of [401, 403, 405, 500]) {
    registry.faults.add({ method: "HEAD", status });
    expect(await offers!(blob, signal)).toBe(false);
  }
  const forBlobs = registry.requests.filter(({ path }) => path.includes("/blobs/"));
  expect(new Set(forBlobs.map(({ method, sent }) => `${method} ${sent}`))).toEqual(new Set(["HEAD 0"]));
});
