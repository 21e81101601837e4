import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "vitest";
import type { SharedRepository } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { Fault, Guard } from "../testing/registry/faults.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";

const signal = new AbortController().signal;
const client = testClient({ uploadChunkBytes: 1_000_000 });
const sixTries = { attempts: 6, baseMs: 1, maxMs: 2, maxWaitMs: 100 };
const small = randomBytes(300_000);
const large = randomBytes(3_500_000);
let registry: TestRegistry;
let repository: SharedRepository;

const start = async (options: RegistryOptions = {}): Promise<void> => {
  registry = await startRegistry(options);
  repository = testRepository(registry, "a", { client });
};
afterEach(() => registry.close());
afterAll(() => client.close());

const describe = (bytes: Buffer): Descriptor => ({
  mediaType: "application/octet-stream",
  digest: sha256Of(bytes),
  size: bytes.length,
});
const reader = (bytes: Buffer) => (offset: number) => Readable.from([bytes.subarray(offset)], { objectMode: false });
const push = (bytes: Buffer): Promise<void> => repository.pushBlob(describe(bytes), reader(bytes), signal);
const stored = async (bytes: Buffer): Promise<boolean> => {
  const content = registry.store.repository("a").blobs.get(sha256Of(bytes));
  return (
    content !== undefined && Buffer.concat((await content.open(0, content.size).toArray()) as Buffer[]).equals(bytes)
  );
};
const asked = (): string[] =>
  registry.requests.map(({ method, status, headers }) =>
    `${method} ${headers["content-range"] ?? ""} ${status}`.replace("  ", " "),
  );

test("a small blob goes up in one request", async () => {
  await start();
  await push(small);
  expect(await stored(small)).toBe(true);
  expect(asked()).toEqual(["POST 202", "PUT 201"]);
  expect(registry.requests[1]?.headers["content-length"]).toBe("300000");
});

test.each([0, 1, 1_000_000])("a blob of %i bytes", async (size) => {
  await start();
  const bytes = Buffer.alloc(size, "x");
  await push(bytes);
  expect(await stored(bytes)).toBe(true);
});

test("a large blob goes up in chunks, each at the location given last", async () => {
  await start();
  await push(large);
  expect(await stored(large)).toBe(true);
  expect(asked()).toEqual([
    "POST 202",
    "PATCH 0-999999 202",
    "PATCH 1000000-1999999 202",
    "PATCH 2000000-2999999 202",
    "PUT 3000000-3499999 201",
  ]);
});

test("chunks are as large as the registry wants them", async () => {
  await start({ chunkMinBytes: 2_000_000 });
  await push(large);
  expect(asked()).toEqual(["POST 202", "PATCH 0-1999999 202", "PUT 2000000-3499999 201"]);
});

test.each<[string, Fault[]]>([
  ["a chunk cut in the middle", [{ method: "PATCH", after: 1, cutRequestAfterBytes: 400_000 }]],
  ["a chunk whose answer is lost", [{ method: "PATCH", after: 1, reset: true }]],
  ["a single request cut in the middle", [{ method: "PUT", cutRequestAfterBytes: 100_000 }]],
  ["a last answer that is lost", [{ method: "PUT", reset: true }]],
  [
    "an overloaded registry",
    [
      { method: "PATCH", status: 503 },
      { method: "POST", status: 429, headers: { "retry-after": "0" } },
    ],
  ],
  ["an upload that was forgotten", [{ method: "PATCH", after: 1, status: 404 }]],
  [
    "an upload that was forgotten, and its status too",
    [
      { method: "PATCH", after: 1, reset: true },
      { method: "GET", status: 404 },
    ],
  ],
  ["a registry that lost track", [{ method: "PATCH", after: 1, status: 416 }]],
])("%s does not stop the push", async (_, faults) => {
  await start();
  registry.faults.add(...faults);
  await push(large);
  expect(await stored(large)).toBe(true);
});

test("after a cut only the rest is sent", async () => {
  await start();
  registry.faults.add({ method: "PATCH", after: 1, cutRequestAfterBytes: 400_000 });
  await push(large);
  const ranges = registry.requests.map((request) => request.headers["content-range"]).filter(Boolean);
  expect(ranges.slice(0, 2)).toEqual(["0-999999", "1000000-1999999"]);
  expect(Number(ranges[2]?.split("-")[0])).toBeGreaterThan(1_000_000);
});

test.each([
  [1_100_000, "goes on", true],
  [100_000, "is given up", false],
])("a push that is cut again and again after %i bytes %s", async (cutRequestAfterBytes, _, arrives) => {
  await start();
  const bytes = randomBytes(9_000_000);
  repository = testRepository(registry, "a", { client: testClient({ uploadChunkBytes: 20_000_000 }) });
  registry.faults.add({ method: "PUT", cutRequestAfterBytes, times: 8 });
  const pushed = push(bytes);
  if (!arrives) return await expect(pushed).rejects.toMatchObject({ code: "RegistryUnreachable" });
  await pushed;
  expect(await stored(bytes)).toBe(true);
  expect(registry.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
});

test("a registry that was asked before everything had arrived is asked again", async () => {
  await start();
  registry.faults.add(
    { method: "PATCH", after: 1, cutRequestAfterBytes: 400_000 },
    { method: "GET", headers: { range: "0-1199999" } },
  );
  await push(large);
  expect(await stored(large)).toBe(true);
  expect(asked().slice(0, 7)).toEqual([
    "POST 202",
    "PATCH 0-999999 202",
    "PATCH 1000000-1999999 0",
    "GET 204",
    "PATCH 1200000-2199999 416",
    "GET 204",
    "PATCH 1400000-2399999 202",
  ]);
});

test("a last answer that is lost is not sent again", async () => {
  await start();
  registry.faults.add({ method: "PUT", reset: true });
  await push(small);
  expect(asked()).toEqual(["POST 202", "PUT 0", "GET 404", "HEAD 200"]);
});

const chunksOf = (): string[] => registry.requests.filter(({ method }) => method === "PATCH").map(({ path }) => path);

test.each([400, 404, 405, 411, 415, 416, 501])(
  "a registry that takes one chunk, and refuses the next (%i), gets the blob in one request",
  async (status) => {
    await start();
    registry.faults.add({ method: "PATCH", after: 1, status, times: 99 });
    await push(large);
    expect(await stored(large)).toBe(true);
    // What a 416 is about, the registry is asked first.
    expect(chunksOf().length).toBeLessThanOrEqual(status === 416 ? 3 : 2);
  },
);

test("a chunk that was accepted is stored, whatever its Range says", async () => {
  await start();
  registry.faults.guard = ({ method }) => (method === "PATCH" ? { headers: { range: "0-999999" } } : undefined);
  await push(large);
  expect(await stored(large)).toBe(true);
  expect(registry.requests.map(({ method }) => method)).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
});

test.each<[string, Guard]>([
  [
    "forgets every upload after its first chunk",
    ({ method, headers }) =>
      method !== "POST" && !(headers["content-range"] ?? "0-").startsWith("0-") ? { status: 404 } : undefined,
  ],
  [
    "answers every chunk after the first with 500",
    ({ method, headers }) =>
      method === "PATCH" && !(headers["content-range"] ?? "0-").startsWith("0-") ? { status: 500 } : undefined,
  ],
  [
    "takes a blob only as Docker sends it",
    ({ method, headers }) =>
      (method === "PUT" && headers["content-length"] !== "0") || headers["content-range"] ? { status: 400 } : undefined,
  ],
  [
    "stands behind a proxy that takes 300,000 bytes",
    ({ headers }) => (Number(headers["content-length"] ?? 0) > 300_000 ? { status: 413 } : undefined),
  ],
])("a registry that %s gets the blob", async (_, guard) => {
  await start();
  const small = testRepository(registry, "a", { client: testClient({ uploadChunkBytes: 2_000_000, retry: sixTries }) });
  const bytes = randomBytes(2_500_000);
  const big = randomBytes(9_000_000);
  registry.faults.guard = guard;
  await small.pushBlob(describe(bytes), reader(bytes), signal);
  expect(await stored(bytes)).toBe(true);
  if (guard.toString().includes("413")) return;
  await small.pushBlob(describe(big), reader(big), signal);
});

test.each<[string, Guard]>([
  [
    "every chunk but the first",
    ({ method, headers }) =>
      (headers["content-range"] ?? "0-").startsWith("0-") && method !== "PUT" ? undefined : { status: 404 },
  ],
  ["what was uploaded, in the end", ({ method }) => (method === "PUT" ? { status: 404 } : undefined)],
  [
    "everything, as if it was busy",
    ({ method }) => (method === "POST" ? undefined : { status: method === "HEAD" ? 404 : 503 }),
  ],
  [
    "every range",
    ({ method }) => (method === "PUT" || method === "PATCH" ? { status: 416, headers: { range: "0-99" } } : undefined),
  ],
])("a push to a registry that refuses %s comes to an end", async (_, guard) => {
  await start();
  registry.faults.guard = guard;
  await expect(push(large)).rejects.toThrow();
  expect(registry.requests.length).toBeLessThan(80);
});

test("the query of an upload's location stays as the registry wrote it", async () => {
  await start();
  registry.faults.add({ method: "POST", headers: { location: "/v2/a/blobs/uploads/x?_state=a%2Fb%20c~d" } });
  await push(small).catch(() => undefined);
  expect(registry.requests[1]?.path).toContain("?_state=a%2Fb%20c~d&digest=sha256%3A");
});

test.each([403, 401, 405, 500])("what may not be asked about (%i) is pushed", async (status) => {
  await start();
  registry.faults.add({ method: "HEAD", status, times: 99 });
  expect(await repository.exists(describe(small), signal)).toBe(false);
});

test.each([404, 405, 400])("a registry that takes no chunks (%i) gets the blob in one request", async (status) => {
  await start();
  registry.faults.add({ method: "PATCH", status, times: 99 });
  await push(large);
  expect(await stored(large)).toBe(true);
  expect(registry.requests.filter((request) => request.method === "PATCH")).toHaveLength(1);
});

test.each<[string, Fault[], string]>([
  ["no location", [{ method: "POST", headers: { location: undefined } }], "RegistryResponseInvalid"],
  [
    "a location at a metadata service",
    [{ method: "POST", headers: { location: "http://169.254.169.254/" } }],
    "EndpointRefused",
  ],
  ["no right to push", [{ method: "POST", status: 403 }], "Forbidden"],
  [
    "a registry that is full",
    [
      { method: "PUT", status: 500, times: 9 },
      { method: "HEAD", status: 404, times: 9 },
    ],
    "RegistryUnavailable",
  ],
  [
    "a registry that goes away",
    [
      { method: "PUT", reset: true, times: 99, path: /./ },
      { method: "HEAD", reset: true, times: 99 },
    ],
    "RegistryUnreachable",
  ],
])("a push that meets %s fails", async (_, faults, code) => {
  await start();
  registry.faults.add(...faults);
  await expect(push(small)).rejects.toMatchObject({ code });
});

test("content that is not what its descriptor says is not stored", async () => {
  await start();
  await expect(
    repository.pushBlob({ ...describe(small), digest: sha256Of("x") }, reader(small), signal),
  ).rejects.toMatchObject({ code: "DigestMismatch" });
  await expect(
    repository.pushBlob({ ...describe(small), size: small.length + 1 }, reader(small), signal),
  ).rejects.toMatchObject({ code: "SizeMismatch" });
});

test("a request that is refused at once leaves no content open", async () => {
  await start();
  await registry.close();
  const opened: Readable[] = [];
  const open = (): Readable => {
    opened.push(new Readable({ read: () => undefined }));
    return opened.at(-1) as Readable;
  };
  await expect(repository.pushBlob(describe(small), open, signal)).rejects.toMatchObject({
    code: "RegistryUnreachable",
  });
  await start();
  registry.faults.add({ method: "PUT", times: 9, delayMs: 2000 });
  await expect(repository.pushBlob(describe(small), open, AbortSignal.timeout(80))).rejects.toMatchObject({
    code: "RegistryTimeout",
  });
  await setTimeout(20);
  expect(opened.filter((stream) => !stream.destroyed)).toEqual([]);
});

test("an abort ends a push", async () => {
  await start();
  registry.faults.add({ method: "PUT", delayMs: 2000 });
  await expect(repository.pushBlob(describe(small), reader(small), AbortSignal.timeout(50))).rejects.toMatchObject({
    code: "RegistryTimeout",
  });
});

test("an upload sent to another host goes without credentials", async () => {
  await start({ auth: { kind: "basic", accounts: { ann: { password: "pw" } } } });
  const storage = await startRegistry();
  const upload = await fetch(`${storage.url}/v2/a/blobs/uploads/`, { method: "POST" });
  registry.faults.add({
    method: "POST",
    after: 1,
    headers: { location: new URL(upload.headers.get("location") ?? "", storage.url).href },
  });
  const credentials = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" } as const) };
  await testRepository(registry, "a", { client, credentials }).pushBlob(describe(small), reader(small), signal);
  expect(storage.requests.map((request) => [request.method, request.status, request.headers.authorization])).toEqual([
    ["POST", 202, undefined],
    ["PUT", 201, undefined],
  ]);
  await storage.close();
});

test("what exists is known by HEAD", async () => {
  await start();
  const blob = registry.store.putBlob("a", small);
  const manifest = registry.store.putArtifact("a", {});
  expect(
    await Promise.all([blob, manifest, describe(large)].map((descriptor) => repository.exists(descriptor, signal))),
  ).toEqual([true, true, false]);
  expect(registry.requests.every((request) => request.method === "HEAD")).toBe(true);
});

test("a blob is mounted from another repository, without its bytes", async () => {
  await start();
  const blob = registry.store.putBlob("b", small);
  expect(await repository.mount(blob, "b", signal)).toBe(true);
  expect(await stored(small)).toBe(true);
  expect(asked()).toEqual(["POST 201"]);
});

test.each<[string, RegistryOptions, Fault[]]>([
  ["does not mount", { mounts: false }, []],
  ["refuses the source", {}, [{ method: "POST", status: 403 }]],
  ["knows no mounts", {}, [{ method: "POST", status: 405 }]],
])("a registry that %s says false, and keeps no upload open", async (_, options, faults) => {
  await start(options);
  registry.faults.add(...faults);
  const blob = registry.store.putBlob("b", small);
  expect(await repository.mount(blob, "b", signal)).toBe(false);
  if (faults.length === 0) expect(asked()).toEqual(["POST 202", "DELETE 204"]);
});

test("a push and a mount need one token each, with their own scopes", async () => {
  await start({ auth: { kind: "token", accounts: { ann: { password: "pw" } } } });
  const credentials = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" } as const) };
  const mine = testRepository(registry, "a", { client, credentials });
  await mine.exists(describe(small), signal);
  await mine.pushBlob(describe(small), reader(small), signal);
  registry.store.putBlob("b", large);
  expect(await mine.mount(describe(large), "b", signal)).toBe(true);
  const scopes = registry.requests
    .filter((request) => request.path.startsWith("/token"))
    .map((request) => new URL(request.path, registry.url).searchParams.getAll("scope"));
  expect(scopes.at(-1)).toEqual(["repository:a:pull,push", "repository:b:pull"]);
  expect(scopes.length).toBeLessThanOrEqual(3);
});

const manifestOf = (subject?: Descriptor): { descriptor: Descriptor; bytes: Buffer } => {
  const config = registry.store.putBlob("a", Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      artifactType: "application/signature",
      config,
      layers: [],
      ...(subject && { subject }),
    }),
  );
  return { descriptor: { mediaType, digest: sha256Of(bytes), size: bytes.length }, bytes };
};

test("manifests are pushed by tag and by digest", async () => {
  await start();
  const { descriptor, bytes } = manifestOf();
  await repository.pushManifest(descriptor, bytes, "v1", signal);
  await repository.pushManifest(descriptor, bytes, descriptor.digest, signal);
  expect(await repository.resolve("v1", signal)).toMatchObject(descriptor);
});

test("what is neither tag nor digest gets no manifest", async () => {
  await start();
  const { descriptor, bytes } = manifestOf();
  for (const reference of ["../../b/manifests/v1", "a b", ""]) {
    await expect(repository.pushManifest(descriptor, bytes, reference, signal)).rejects.toMatchObject({
      code: "InvalidReference",
    });
  }
  expect(registry.requests).toEqual([]);
});

test("a manifest that the registry stored otherwise is noticed", async () => {
  await start();
  const { descriptor, bytes } = manifestOf();
  registry.faults.add({ method: "PUT", headers: { "docker-content-digest": sha256Of("x") } });
  await expect(repository.pushManifest(descriptor, bytes, "v1", signal)).rejects.toMatchObject({
    code: "DigestMismatch",
  });
});

test("a manifest with a missing blob is refused with the registry's words", async () => {
  await start();
  const { descriptor, bytes } = manifestOf();
  registry.store.repository("a").blobs.clear();
  await expect(repository.pushManifest(descriptor, bytes, "v1", signal)).rejects.toThrow(/MANIFEST_BLOB_UNKNOWN/);
});

test.each([true, false])("a referrer is found again (referrers API: %s)", async (referrers) => {
  await start({ referrers });
  const root = registry.store.putArtifact("a", { tag: "v1" });
  const { descriptor, bytes } = manifestOf(root);
  await repository.pushManifest(descriptor, bytes, descriptor.digest, signal);
  await repository.pushManifest(descriptor, bytes, descriptor.digest, signal);
  expect(await repository.referrers(root.digest, signal)).toEqual([
    { ...descriptor, artifactType: "application/signature", isHint: true },
  ]);
  expect(registry.store.repository("a").tags.has(root.digest.replace(":", "-"))).toBe(!referrers);
});

test("the fallback index keeps what it has", async () => {
  await start({ referrers: false });
  const root = registry.store.putArtifact("a", { tag: "v1" });
  const old = {
    ...registry.store.putArtifact("a", { artifactType: "application/sbom", subject: root }),
    platform: { os: "linux", architecture: "arm64", "os.version": "1" },
  };
  registry.store.putIndex("a", [old], { tag: root.digest.replace(":", "-") });
  const { descriptor, bytes } = manifestOf(root);
  await repository.pushManifest(descriptor, bytes, descriptor.digest, signal);
  const found = registry.store.manifest("a", root.digest.replace(":", "-"));
  expect(JSON.parse(found?.stored.bytes.toString("utf8") ?? "")).toMatchObject({
    manifests: [old, { digest: descriptor.digest }],
  });
});

test("manifests are deleted; what is gone already counts as deleted", async () => {
  await start();
  const { digest } = registry.store.putArtifact("a", { tag: "v1" });
  await repository.deleteManifest(digest, signal);
  await repository.deleteManifest(digest, signal);
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "NotFound" });
});

test("a registry that deletes nothing says so", async () => {
  await start({ deletes: false });
  const { digest } = registry.store.putArtifact("a", { tag: "v1" });
  await expect(repository.deleteManifest(digest, signal)).rejects.toMatchObject({ code: "RegistryUnsupported" });
});

const moves = async (from: Digest | undefined): Promise<boolean> =>
  await repository.moveTag({ tag: "stable", from, ...manifestOf() }, signal);
const stableNow = (): Digest | undefined => registry.store.manifest("a", "stable")?.digest;

test.each(["honoured", "ignored", "refused"] as const)(
  "a tag is moved from where it was seen alone, whatever the registry makes of preconditions: %s",
  async (preconditions) => {
    await start({ preconditions });
    registry.store.putBlob("a", Buffer.from("{}"));
    const { descriptor } = manifestOf();
    const other = registry.store.putArtifact("a", { tag: "stable" }).digest;
    expect([await moves(undefined), await moves(sha256Of("x")), stableNow()]).toEqual([false, false, other]);
    expect([await moves(other), stableNow()]).toEqual([true, descriptor.digest]);
    registry.store.repository("a").tags.delete("stable");
    expect([await moves(other), stableNow()]).toEqual([false, undefined]);
    expect([await moves(undefined), stableNow()]).toEqual([true, descriptor.digest]);
  },
);

test("a tag that is moved while it is moved stays with whoever was first", async () => {
  await start();
  registry.store.putBlob("a", Buffer.from("{}"));
  const [seen, theirs] = ["one", "two"].map(
    (of) => registry.store.putArtifact("a", { tag: "stable", annotations: { of } }).digest,
  ) as [Digest, Digest];
  const { tags } = registry.store.repository("a");
  tags.set("stable", seen);
  // What the look before the move sees is out of date when it arrives.
  registry.faults.add({ method: "HEAD", path: /manifests/, delayMs: 200 });
  const moving = moves(seen);
  await setTimeout(50);
  tags.set("stable", theirs);
  expect([await moving, stableNow()]).toEqual([false, theirs]);
});
