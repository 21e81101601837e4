import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { settled } from "../oci/fetch-all.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";
import type { WritableRepository } from "../oci/content.ts";

const signal = new AbortController().signal;
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const client = testClient();
const other = sha256Of("other");
let registry: TestRegistry;
let repository: WritableRepository;
let root: Descriptor;

beforeEach(async () => {
  registry = await startRegistry();
  root = registry.store.putArtifact("team/app", { tag: "v1", artifactType: "application/vnd.x" });
  repository = testRepository(registry, "team/app", { client });
});
afterEach(() => registry.close());
afterAll(() => client.close());

const asked = (): string[] =>
  registry.requests.map(({ method, path }) => `${method} ${path.replace("/v2/team/app/", "")}`);
const read = async (descriptor: Descriptor): Promise<Buffer> =>
  Buffer.concat((await (await repository.fetch(descriptor, signal)).toArray()) as Buffer[]);

test("a tag is resolved by one HEAD, its manifest read by digest, once", async () => {
  expect(await repository.resolve("v1", signal)).toEqual({ ...root, isHint: true });
  expect(sha256Of(await read(root))).toBe(root.digest);
  await read(root);
  expect(asked()).toEqual(["HEAD manifests/v1", `GET manifests/${root.digest}`]);
  expect(registry.requests[0]?.headers.accept).toBe(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
  );
});

test("a digest is resolved by one HEAD", async () => {
  expect(await repository.resolve(root.digest, signal)).toEqual({ ...root, isHint: true });
  expect(asked()).toEqual([`HEAD manifests/${root.digest}`]);
});

test.each([
  ["without a digest", { "docker-content-digest": undefined }, undefined],
  ["with a digest of an unknown form", { "docker-content-digest": "md5:abc" }, undefined],
  ["without a length", { "content-length": undefined }, undefined],
  ["with a length of 0", { "content-length": "0" }, undefined],
  ["without a type", { "content-type": undefined }, undefined],
  ["with a general type", { "content-type": "application/json" }, undefined],
  ["with a length beyond any manifest", { "content-length": "99999999" }, undefined],
  ...[400, 401, 403, 404, 405, 406, 500, 501, 502, 503].map((status) => [`with ${status}`, {}, status] as const),
] as [string, Record<string, string | undefined>, number | undefined][])(
  "a HEAD %s leads to a GET, whose body is kept",
  async (_, headers, status) => {
    registry.faults.add({ method: "HEAD", headers, ...(status !== undefined && { status }) });
    expect(await repository.resolve("v1", signal)).toEqual(root);
    await read(root);
    expect(asked().filter((line) => line !== "GET /v2/")).toEqual(["HEAD manifests/v1", "GET manifests/v1"]);
  },
);

test("what a HEAD says of size and type is a hint", async () => {
  registry.faults.add({
    method: "HEAD",
    headers: { "content-length": "77", "content-type": "application/vnd.docker.distribution.manifest.list.v2+json" },
  });
  const found = await repository.resolve("v1", signal);
  expect(found.digest).toBe(root.digest);
  expect(sha256Of(await read(found))).toBe(root.digest);
  expect(await settled(repository, found, defaultLimits, signal)).toEqual(root);
});

test("a cache that serves an index as Docker's list is corrected by the body", async () => {
  const index = registry.store.putIndex("team/app", [root], { tag: "all" });
  registry.faults.add({ headers: { "content-type": "application/vnd.docker.distribution.manifest.list.v2+json" } });
  expect(await repository.resolve("all", signal, "read")).toEqual(index);
});

test("a digest that a header states beside the one asked for says nothing", async () => {
  registry.faults.add({ times: 2, headers: { "docker-content-digest": other } });
  expect(await repository.resolve(root.digest, signal)).toEqual(root);
});

test("a GET without any digest or type is hashed and looked into", async () => {
  registry.faults.add({ times: 2, headers: { "docker-content-digest": undefined, "content-type": undefined } });
  expect(await repository.resolve("v1", signal)).toEqual(root);
});

test("sha512 digests are resolved and read", async () => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: root, layers: [] }));
  const digest: Digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
  registry.store.repository("team/app").manifests.set(digest, { mediaType: manifestType, bytes });
  const found = await repository.resolve(digest, signal);
  expect(found).toEqual({ mediaType: manifestType, digest, size: bytes.length, isHint: true });
  expect(await read(found)).toEqual(bytes);
});

test.each<[string, string, Parameters<TestRegistry["faults"]["add"]>[0][], string]>([
  ["a tag that is not there", "v9", [], "NotFound"],
  ["a digest that is not there", other, [], "NotFound"],
  [
    "another digest in the header of a GET",
    "v1",
    [{ status: 405 }, { headers: { "docker-content-digest": other } }],
    "DigestMismatch",
  ],
  ["other bytes for a digest", "root", [{ status: 405 }, { corruptAt: 5 }], "DigestMismatch"],
  [
    "a web page",
    "v1",
    [
      { method: "HEAD", status: 405 },
      { status: 200, body: "<html>", headers: { "content-type": "text/html" } },
    ],
    "RegistryResponseInvalid",
  ],
  [
    "no JSON",
    "v1",
    [
      { method: "HEAD", status: 405 },
      { status: 200, body: "?" },
    ],
    "ManifestInvalid",
  ],
  [
    "Docker's schema 1",
    "v1",
    [
      {
        times: 2,
        status: 200,
        body: "{}",
        headers: { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
      },
    ],
    "RegistryResponseInvalid",
  ],
  [
    "a body too large",
    "v1",
    [{ status: 405 }, { body: Buffer.alloc(defaultLimits.maxManifestBytes + 1) }],
    "ManifestTooLarge",
  ],
  ["no tag at all", "../v1", [], "InvalidReference"],
  ["a digest cut short", "sha256:abc", [], "InvalidDigest"],
])("resolving %s fails", async (_, reference, faults, code) => {
  registry.faults.add(...faults);
  await expect(repository.resolve(reference === "root" ? root.digest : reference, signal)).rejects.toMatchObject({
    code,
  });
});

test.each<[string, string, Parameters<TestRegistry["faults"]["add"]>[0]]>([
  ["a tag", "v1", {}],
  ["a digest", "root", {}],
  ["a tag whose answer states no digest", "v1", { headers: { "docker-content-digest": undefined } }],
  [
    "a tag whose answer states neither digest nor type",
    "v1",
    { headers: { "docker-content-digest": undefined, "content-type": undefined } },
  ],
  ["a digest whose answer states none", "root", { headers: { "docker-content-digest": undefined } }],
])("%s that is read next is one GET, whose body is kept", async (_, name, fault) => {
  const reference = name === "root" ? root.digest : name;
  registry.faults.add(fault);
  const found = await repository.resolve(reference, signal, "read");
  expect(found).toEqual(root);
  expect(sha256Of(await read(found))).toBe(root.digest);
  expect(asked()).toEqual([`GET manifests/${reference}`]);
  expect(registry.requests[0]?.headers.accept).toBe(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
  );
});

test.each<[string, string, Parameters<TestRegistry["faults"]["add"]>[0], string, number]>([
  ["a tag that is not there", "v9", {}, "NotFound", 1],
  ["a digest that is not there", other, {}, "NotFound", 1],
  ["another digest in its header", "v1", { headers: { "docker-content-digest": other } }, "DigestMismatch", 1],
  ["other bytes than its header states", "v1", { corruptAt: 5 }, "DigestMismatch", 1],
  [
    "other bytes for a digest",
    "root",
    { corruptAt: 5, headers: { "docker-content-digest": undefined } },
    "DigestMismatch",
    1,
  ],
  ["a body too large", "v1", { body: Buffer.alloc(defaultLimits.maxManifestBytes + 1) }, "ManifestTooLarge", 1],
  [
    "a web page",
    "v1",
    { status: 200, body: "<html>", headers: { "content-type": "text/html", "docker-content-digest": undefined } },
    "RegistryResponseInvalid",
    1,
  ],
  ["no tag at all", "../v1", {}, "InvalidReference", 0],
  ["a digest cut short", "sha256:abc", {}, "InvalidDigest", 0],
])("resolving %s to be read fails at once, and keeps nothing", async (_, name, fault, code, requests) => {
  registry.faults.add(fault);
  await expect(repository.resolve(name === "root" ? root.digest : name, signal, "read")).rejects.toMatchObject({
    code,
  });
  expect(registry.requests).toHaveLength(requests);
  registry.faults.clear();
  expect(sha256Of(await read(root))).toBe(root.digest);
  expect(asked().slice(requests)).toEqual([`GET manifests/${root.digest}`]);
});

test("a registry that is busy is asked again by GET", async () => {
  registry.faults.add({ status: 503 }, { cutAfterBytes: 10 });
  expect(await repository.resolve("v1", signal, "read")).toEqual(root);
  expect(asked()).toEqual(["GET manifests/v1", "GET manifests/v1", "GET manifests/v1"]);
});

test.each<[string, Partial<Descriptor>, Parameters<TestRegistry["faults"]["add"]>[0], string]>([
  ["other bytes", {}, { corruptAt: 3 }, "DigestMismatch"],
  ["fewer bytes than its descriptor says", { size: 9999 }, {}, "SizeMismatch"],
  ["more bytes than its descriptor says", { size: 3 }, {}, "SizeMismatch"],
  ["a size beyond the limit", { size: 1 << 30 }, {}, "ManifestTooLarge"],
])("reading a manifest with %s fails", async (_, change, fault, code) => {
  registry.faults.add(fault);
  await expect(read({ ...root, ...change })).rejects.toMatchObject({ code });
});

test("a manifest whose connection breaks is read again", async () => {
  registry.faults.add({ cutAfterBytes: 10 }, { reset: true });
  expect(sha256Of(await read(root))).toBe(root.digest);
  expect(registry.requests).toHaveLength(3);
});

test("a trickle of bytes is not waited for without end", async () => {
  registry.faults.add({ times: 9, stallAfterBytes: 4 });
  const slow = testRepository(registry, "team/app", {
    client: testClient({ retry: { attempts: 2, baseMs: 1, maxMs: 1, maxWaitMs: 1 } }),
    timeoutMs: 1000,
  });
  await expect(slow.fetch(root, signal)).rejects.toMatchObject({ code: "RegistryTimeout" });
  // The time is for all attempts together.
  expect(registry.requests).toHaveLength(1);
});

test("inline data needs no request", async () => {
  const bytes = Buffer.from("inline");
  expect(
    await read({
      mediaType: "text/plain",
      digest: sha256Of(bytes),
      size: bytes.length,
      data: bytes.toString("base64"),
    }),
  ).toEqual(bytes);
  expect(asked()).toEqual([]);
});

test.each(["", "a b", "../etc", "Team/App", "team//app", "a/b:c", "a@b"])(
  "the repository name %j is refused",
  (name) => {
    expect(() => testRepository(registry, name, { client })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^Invalid/) }),
    );
  },
);

test.each(["user:pw@r.example", "r.example/x", "r.example:99999", "r.example?x"])(
  "the registry %j is refused",
  (host) => {
    const open = (): unknown =>
      client.repository({ registry: host, repository: "a" }, { timeoutMs: 1, limits: defaultLimits });
    expect(open).toThrow(expect.objectContaining({ code: expect.stringMatching(/^Invalid/) }));
    expect(open).not.toThrow(/pw/);
  },
);
