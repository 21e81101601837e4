import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { ociEmptyType, ociIndexType, ociManifestType } from "../oci/media-types.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor } from "../oci/types.ts";
import { fixturesDir } from "../testing/registry/layout.ts";
import { openLayout } from "./layout.ts";

const signal = new AbortController().signal;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-layout-"));
});
afterEach(() => rm(dir, { recursive: true }));

const fixture = (name: string): ReturnType<typeof openLayout> => openLayout(join(fixturesDir, name), defaultLimits);
const read = async (layout: ReturnType<typeof openLayout>, descriptor: Descriptor): Promise<Buffer> =>
  Buffer.concat((await (await layout.fetch(descriptor, signal)).toArray()) as Buffer[]);
const describe = (bytes: Buffer | string, mediaType = "application/octet-stream"): Descriptor => ({
  mediaType,
  digest: sha256Of(bytes),
  size: Buffer.byteLength(bytes),
});
const blobFile = (bytes: string): string => join(dir, "blobs", "sha256", sha256Of(bytes).slice(7));

/** Writes a layout by hand. */
const write = async (
  entries: object[],
  blobs: readonly string[] = [],
  version = "1.0.0",
): Promise<ReturnType<typeof openLayout>> => {
  await mkdir(join(dir, "blobs", "sha256"), { recursive: true });
  await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: version }));
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  for (const blob of blobs) await writeFile(blobFile(blob), blob);
  return openLayout(dir, defaultLimits);
};
const named = (descriptor: Descriptor, name: string): object => ({
  ...descriptor,
  annotations: { "org.opencontainers.image.ref.name": name },
});

test("a layout made by real tools is read by tag and by digest", async () => {
  const layout = fixture("timoni/mod");
  const root = await layout.resolve("1.0.0", signal);
  expect(await layout.resolve(root.digest, signal)).toEqual(root);
  const manifest = parseManifest(await read(layout, root), root.mediaType, "x");
  expect(manifest.kind).toBe("manifest");
  for (const layer of manifest.kind === "manifest" ? manifest.layers : [])
    expect(sha256Of(await read(layout, layer))).toBe(layer.digest);
  const names: string[] = [];
  for await (const page of layout.tags(signal)) names.push(...page);
  expect(names.sort()).toEqual(["1.0.0", "latest"]);
});

test.each([
  ["signed/bundle", "application/vnd.dev.sigstore.bundle.v0.3+json"],
  ["signed/notation-jws", "application/vnd.cncf.notary.signature"],
])("the referrers of %s", async (name, type) => {
  const layout = fixture(name);
  const { digest } = await layout.resolve("1.0.0", signal);
  expect((await layout.referrers(digest, signal)).map((found) => found.artifactType)).toEqual([type]);
});

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: ociManifestType,
  config: describe("{}", ociEmptyType),
  layers: [],
});
const root = describe(manifest, ociManifestType);

test.each<[string, () => Promise<unknown>, string]>([
  [
    "a directory that is not a layout",
    async () => await openLayout(dir, defaultLimits).resolve("a", signal),
    "NotFound",
  ],
  ["another version", async () => await (await write([], [], "2.0.0")).resolve("a", signal), "RegistryUnsupported"],
  [
    "a name that is not there",
    async () => await (await write([named(root, "b")], [manifest])).resolve("a", signal),
    "NotFound",
  ],
  ["a digest that is not there", async () => await (await write([])).resolve(root.digest, signal), "NotFound"],
  [
    "a name that is there twice",
    async () =>
      await (await write([named(root, "a"), named(describe("{}", ociManifestType), "a")])).resolve("a", signal),
    "AmbiguousManifest",
  ],
  [
    "a digest that is a path",
    async () => await (await write([])).resolve("sha256:../../etc/passwd", signal),
    "InvalidDigest",
  ],
  ["a blob that is not there", async () => await read(await write([]), root), "NotFound"],
  ["a blob of another size", async () => await read(await write([], [manifest]), { ...root, size: 1 }), "SizeMismatch"],
  [
    "a blob beyond the limit",
    async () =>
      await read(openLayout((await write([], [manifest])) && dir, { ...defaultLimits, maxLayerBytes: 10 }), root),
    "SizeMismatch",
  ],
])("%s", async (_, attempt, code) => {
  await expect(attempt()).rejects.toMatchObject({ code });
});

test("content that was changed on disk is noticed", async () => {
  const layout = await write([named(root, "a")], [manifest]);
  await writeFile(blobFile(manifest), manifest.replace("2", "3"));
  await expect(read(layout, root)).rejects.toMatchObject({ code: "DigestMismatch" });
  await expect(layout.resolve(root.digest, signal)).rejects.toMatchObject({ code: "DigestMismatch" });
});

test("a link to a device or directory is not read", async () => {
  const layout = await write([]);
  await symlink("/dev/zero", blobFile("x"));
  await mkdir(blobFile("y"));
  await expect(read(layout, describe("x"))).rejects.toMatchObject({ code: "StorageFailed" });
  await expect(read(layout, describe("y"))).rejects.toMatchObject({ code: "StorageFailed" });
});

test("an abort ends a read", async () => {
  const layout = openLayout(dir, defaultLimits);
  const large = Buffer.alloc(5_000_000);
  await layout.pushBlob(
    describe(large),
    (offset) => Readable.from([large.subarray(offset)], { objectMode: false }),
    signal,
  );
  const abort = new AbortController();
  const stream = await layout.fetch(describe(large), abort.signal);
  stream.once("data", () => abort.abort());
  await expect(new Promise((_, fail) => stream.once("error", fail))).rejects.toMatchObject({ code: "Aborted" });
});

test("what is written can be read, and the directory is a layout", async () => {
  const layout = openLayout(join(dir, "new"), defaultLimits);
  const config = Buffer.from("{}");
  expect(await layout.exists(describe(config), signal)).toBe(false);
  await layout.pushBlob(describe(config), () => Readable.from([config], { objectMode: false }), signal);
  expect(await layout.exists(describe(config), signal)).toBe(true);
  expect(await layout.mount(describe(config), "other", signal)).toBe(false);
  await layout.pushManifest(root, Buffer.from(manifest), root.digest, signal);
  await layout.pushManifest(root, Buffer.from(manifest), "v1", signal);
  expect(await layout.resolve("v1", signal)).toEqual(root);
  expect(JSON.parse(await readFile(join(dir, "new", "index.json"), "utf8"))).toEqual({
    schemaVersion: 2,
    mediaType: ociIndexType,
    manifests: [named(root, "v1")],
  });
  expect((await readdir(join(dir, "new", "blobs", "sha256"))).sort()).toEqual(
    [root.digest.slice(7), sha256Of(config).slice(7)].sort(),
  );
});

test("a moved tag leaves its old manifest in place of another name", async () => {
  const layout = openLayout(dir, defaultLimits);
  const second = manifest.replace('"layers":[]', '"layers":[],"annotations":{"a":"b"}');
  await layout.pushManifest(root, Buffer.from(manifest), "v1", signal);
  await layout.pushManifest(root, Buffer.from(manifest), "v2", signal);
  await layout.pushManifest(describe(second, ociManifestType), Buffer.from(second), "v1", signal);
  expect([(await layout.resolve("v1", signal)).digest, (await layout.resolve("v2", signal)).digest]).toEqual([
    sha256Of(second),
    root.digest,
  ]);
});

test("entries of other tools stay as they are", async () => {
  const foreign = {
    ...describe("{}", "application/x"),
    platform: { os: "linux", architecture: "arm64", "os.version": "1", "os.features": ["a"] },
    artifactType: "application/y",
  };
  const layout = await write([foreign]);
  await layout.pushManifest(root, Buffer.from(manifest), "v1", signal);
  const { manifests } = JSON.parse(await readFile(join(dir, "index.json"), "utf8")) as { manifests: unknown[] };
  expect(manifests[0]).toEqual(foreign);
});

test("many writes at once lose nothing", async () => {
  const layout = openLayout(dir, defaultLimits);
  await Promise.all(
    Array.from({ length: 20 }, (_, at) => layout.pushManifest(root, Buffer.from(manifest), `v${at}`, signal)),
  );
  for await (const page of layout.tags(signal)) expect(page).toHaveLength(20);
});

test("a referrer that is written is found", async () => {
  const layout = openLayout(dir, defaultLimits);
  await layout.pushManifest(root, Buffer.from(manifest), "v1", signal);
  const signature = JSON.stringify({
    ...(JSON.parse(manifest) as object),
    artifactType: "application/signature",
    subject: root,
  });
  await layout.pushManifest(describe(signature, ociManifestType), Buffer.from(signature), sha256Of(signature), signal);
  expect(await layout.referrers(root.digest, signal)).toEqual([
    { ...describe(signature, ociManifestType), artifactType: "application/signature" },
  ]);
  await layout.deleteManifest(sha256Of(signature), signal);
  expect(await layout.referrers(root.digest, signal)).toEqual([]);
});

test("wrong content is not written, and leaves nothing behind", async () => {
  const layout = openLayout(dir, defaultLimits);
  const open = (): Readable => Readable.from([Buffer.from("abc")], { objectMode: false });
  await expect(layout.pushBlob(describe("xyz"), open, signal)).rejects.toMatchObject({ code: "DigestMismatch" });
  await expect(layout.pushBlob({ ...describe("abc"), size: 4 }, open, signal)).rejects.toMatchObject({
    code: "SizeMismatch",
  });
  await expect(layout.pushBlob(describe("abc"), open, AbortSignal.abort())).rejects.toMatchObject({ code: "Aborted" });
  await expect(layout.pushManifest(root, Buffer.from("{}"), "v1", signal)).rejects.toMatchObject({
    code: "DigestMismatch",
  });
  expect(await readdir(join(dir, "blobs", "sha256"))).toEqual([]);
});
