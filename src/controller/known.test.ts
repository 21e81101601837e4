import { appendFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { secrets } from "../../api/kinds.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { Descriptor } from "../oci/types.ts";
import { tarOf, type TarFields } from "../testing/archives/tar.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import type { Account } from "../testing/registry/auth.ts";
import type { Fault } from "../testing/registry/faults.ts";
import { startProxy } from "../testing/registry/proxy.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";

/** What an object has stored already is not downloaded again (docs/security.md, "What objects share"). */

const never = new AbortController().signal;
const flux = "application/vnd.cncf.flux.content.v1.tar+gzip";
let registry: TestRegistry;
let controller: TestReconciler;

async function start(options: RegistryOptions = {}): Promise<void> {
  registry = await startRegistry(options);
  controller = await startTestReconciler({ ociEndpoint: true });
}
async function stop(): Promise<void> {
  await controller.close();
  await registry.close();
}
beforeEach(() => start());
afterEach(stop);

const archive = (...files: TarFields[]): Buffer => gzipSync(tarOf(...files));
const plain = archive({ name: "a.yaml", content: "a" }, { name: "docs", type: "5" }, { name: "docs/b", content: "b" });
const linked = archive({ name: "c.yaml", content: "c" }, { name: "link", type: "2", link: "c.yaml" });

interface Put {
  readonly at?: string;
  readonly layers?: readonly Buffer[];
  readonly mediaType?: string;
  /** Makes the manifest another one. */
  readonly build?: string;
}
const put = (
  tag: string | undefined,
  { at = "app", layers = [plain], mediaType = flux, build = "" }: Put = {},
): Descriptor =>
  registry.store.putArtifact(at, {
    ...(tag !== undefined && { tag }),
    layers: layers.map((bytes) => ({ mediaType, bytes })),
    annotations: { "org.opencontainers.image.revision": build },
  });
const spec = (more: object = {}): object => ({
  url: `oci://${registry.host}/app`,
  insecure: true,
  interval: "10m",
  ref: { tag: "1.0.0" },
  ...more,
});

/** Requests for blobs in one reconcile, which must succeed. */
async function blobs(name = "app"): Promise<string[]> {
  registry.requests.length = 0;
  await controller.reconcile(name);
  expect(conditionOf(await controller.get(name), "Ready")).toMatchObject({ status: "True" });
  return registry.requests.filter(({ path }) => path.includes("/blobs/")).map(({ method }) => method);
}
const status = async (name = "app"): Promise<ArtifactRepositoryStatus | undefined> =>
  (await controller.get(name))?.status;
/** The status, with all that a Ready one has. */
const success = async (): Promise<Required<ArtifactRepositoryStatus>> =>
  (await status()) as Required<ArtifactRepositoryStatus>;
const stored = async (): Promise<string> => join(controller.root, (await status())!.artifact!.path);

const operations: readonly [string, Put, object][] = [
  ["a layer that is kept as it is", {}, {}],
  ["a layer that is written anew", { layers: [linked] }, {}],
  ["ignored paths", {}, { ignore: "/docs" }],
  ["Copy", {}, { layerSelector: { operation: "Copy" } }],
  ["a raw file", { layers: [Buffer.from("text")], mediaType: "text/plain" }, {}],
  ["ExtractAll", { layers: [plain, linked] }, { layerSelector: { operation: "ExtractAll" } }],
];

describe.each(operations)("known content: %s", (_, content, more) => {
  beforeEach(async () => {
    put("1.0.0", { ...content, build: "one" });
    await controller.apply("app", spec(more));
    expect(await blobs()).toContain("GET");
  });

  it("is not downloaded for a new tag, and everything else is as for any new version", async () => {
    const before = await success();
    const root = put("2.0.0", { ...content, build: "two" });
    await controller.apply("app", spec({ ...more, ref: { tag: "2.0.0" } }));
    expect(await blobs()).toEqual([]);
    const after = await success();
    expect(after.artifact.digest).toBe(before.artifact.digest);
    expect(after.artifact.revision).toBe(before.artifact.revision.replace("1.0.0", "2.0.0"));
    expect(after.artifact.metadata).toMatchObject({
      "org.opencontainers.image.revision": "two",
      "source.strata.dev/upstream-digest": root.digest,
    });
    expect(after.upstream).toMatchObject({ tag: "2.0.0", digest: root.digest });
    const rows = before.selected.layers!.map((layer) => Object.assign({}, layer, { manifest: root.digest }));
    expect(after.selected).toEqual({ ...before.selected, layers: rows });
    expect((await controller.externalArtifact("app"))?.status?.artifact).toEqual(after.artifact);
    expect(controller.events.at(-1)?.reason).toBe("NewArtifact");
  });

  it("is not downloaded for an index that was built anew", async () => {
    const amd = { platform: { os: "linux", architecture: "amd64" } };
    const root = put(undefined, { ...content, build: "three" });
    registry.store.putIndex("app", [{ ...root, ...amd }], { tag: "1.0.0" });
    expect(await blobs()).toEqual([]);
    expect((await status())?.selected?.layers?.[0]?.manifest).toBe(root.digest);
  });

  it("is asked for by HEAD after a restart, once, and not downloaded", async () => {
    controller.restart();
    expect(await blobs()).toEqual([]);
    put("1.0.0", { ...content, build: "two" });
    expect(await blobs()).toEqual((content.layers ?? [plain]).map(() => "HEAD"));
    put("1.0.0", { ...content, build: "three" });
    expect(await blobs()).toEqual([]);
  });

  it("is downloaded again where its file is gone or is another one", async () => {
    const digest = (await status())?.artifact?.digest;
    for (const harm of [(path: string) => rm(path), (path: string) => appendFile(path, "more")]) {
      await harm(await stored());
      put("1.0.0", { ...content, build: String(harm) });
      expect(await blobs()).toContain("GET");
      expect((await status())?.artifact?.digest).toBe(digest);
    }
    const path = await stored();
    await writeFile(path, Buffer.alloc((await status())!.artifact!.size!));
    put("1.0.0", { ...content, build: "harmed" });
    controller.restart();
    expect(await blobs()).toContain("GET");
  });
});

describe("an edited spec", () => {
  it("that picks the same moves nothing", async () => {
    put("1.0.0", { layers: [linked] });
    await controller.apply("app", spec());
    await blobs();
    for (const layerSelector of [
      { mediaType: flux },
      { operation: "Extract" },
      { offset: 0 },
      { mediaType: "*+gzip", operation: "Extract" },
    ]) {
      await controller.apply("app", spec({ layerSelector }));
      expect(await blobs()).toEqual([]);
      expect((await status())?.selected).toMatchObject({ operation: "Extract", skipped: { symlinks: 1 } });
    }
  });

  it("that wants something else of the same layer downloads it", async () => {
    put("1.0.0");
    await controller.apply("app", spec());
    await blobs();
    const before = (await status())?.artifact?.revision;
    await controller.apply("app", spec({ ignore: "/docs" }));
    expect(await blobs()).toEqual(["GET"]);
    expect((await status())?.artifact?.revision).not.toBe(before);
    // What it replaced is kept for a while, and is what the spec wants again.
    await controller.apply("app", spec());
    expect(await blobs()).toEqual([]);
    expect((await status())?.artifact?.revision).toBe(before);
  });

  it("publishes its known content wherever it says", async () => {
    put("1.0.0");
    await controller.apply("app", spec());
    await blobs();
    const publish = {
      oci: { url: `oci://${registry.host}/published/app`, insecure: true, tags: ["stable"] },
      ociRepository: {},
    };
    put("1.0.0", { build: "two" });
    await controller.apply("app", spec({ publish }));
    // Asked for at the target, and mounted there.
    expect(await blobs()).not.toContain("GET");
    expect((await status())?.published?.map(({ kind }) => kind)).toEqual(["OCIRepository", "OCIArtifact"]);
    expect(registry.store.repository("published/app").blobs.has((await status())!.artifact!.digest as never)).toBe(
      true,
    );
  });
});

describe("asking for many layers", () => {
  const many = ["a", "b", "c", "d", "e", "f"].map((name) => archive({ name, content: name }));
  const all = { layerSelector: { operation: "ExtractAll" }, timeout: "1s" };

  it.each<[string, Fault]>([
    ["takes longer than the timeout", { delayMs: 250 }],
    ["is cut off", { reset: true }],
  ])("ends in a download where it %s", async (_, fault) => {
    put("1.0.0", { layers: many });
    await controller.apply("app", spec(all));
    await blobs();
    put("1.0.0", { layers: many, build: "two" });
    controller.restart();
    registry.faults.add({ method: "HEAD", path: /blobs/, times: 99, ...fault });
    expect((await blobs()).filter((method) => method === "GET")).toHaveLength(many.length);
  });
});

describe("other objects", () => {
  it("with the same access take what was made by the same recipe from another version", async () => {
    put("1.0.0");
    put("2.0.0", { build: "two" });
    await controller.apply("app", spec());
    await blobs();
    await controller.apply("other", spec({ ref: { tag: "2.0.0" } }));
    expect(await blobs("other")).toEqual([]);
    expect((await status("other"))?.artifact?.revision).toMatch(/^2\.0\.0@/);
  });

  it("take nothing from another repository, though its manifest names the same layer", async () => {
    put("1.0.0");
    await controller.apply("app", spec());
    await blobs();
    const root = put("1.0.0", { at: "thief" });
    const [{ digest } = { digest: "" }] = (
      JSON.parse(registry.store.manifest("thief", root.digest)!.stored.bytes.toString()) as { layers: Descriptor[] }
    ).layers;
    registry.store.repository("thief").blobs.delete(digest as never);
    await controller.apply("thief", { ...spec(), url: `oci://${registry.host}/thief` });
    await controller.reconcile("thief");
    expect(conditionOf(await controller.get("thief"), "Ready")).toMatchObject({ status: "False" });
    expect((await status("thief"))?.artifact).toBeUndefined();
    // Nor does an object that moves there, of its own.
    await controller.apply("app", { ...spec(), url: `oci://${registry.host}/thief` });
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")).toMatchObject({ status: "False" });
  });

  it("take nothing through a proxy of their own that names the layer", async () => {
    put("1.0.0");
    await controller.apply("app", spec());
    await blobs();
    const impostor = await startRegistry();
    const proxy = await startProxy({ resolve: () => impostor.host });
    const data = { address: Buffer.from(proxy.url).toString("base64") };
    const metadata = { name: "proxy", namespace: "default" };
    await controller.kube.create(secrets, { apiVersion: "v1", kind: "Secret", metadata, data } as never, never);
    try {
      const root = put("1.0.0");
      const manifest = registry.store.manifest("app", root.digest)!.stored.bytes;
      impostor.store.putManifest("app", manifest, { tag: "1.0.0", mediaType: root.mediaType });
      await controller.apply("thief", spec({ proxySecretRef: { name: "proxy" } }));
      await controller.reconcile("thief");
      expect(conditionOf(await controller.get("thief"), "Ready")).toMatchObject({ status: "False" });
      expect((await status("thief"))?.artifact).toBeUndefined();
      expect(proxy.requests.length).toBeGreaterThan(0);
    } finally {
      await Promise.all([impostor.close(), proxy.close()]);
    }
  });
});

describe("access", () => {
  let accounts: Record<string, Account>;
  const login = async (password: string): Promise<void> => {
    const auths = { [registry.host]: { username: "user", password } };
    const data = { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") };
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/dockerconfigjson",
      metadata: { name: "pull", namespace: "default" },
      data,
    };
    const existing = await controller.kube.get(secrets, secret.metadata, never);
    await (existing === undefined
      ? controller.kube.create(secrets, secret as never, never)
      : controller.kube.update(secrets, { ...existing, ...secret, metadata: existing.metadata } as never, never));
  };
  beforeEach(async () => {
    await stop();
    accounts = { user: { password: "one" } };
    await start({ auth: { kind: "basic", accounts } });
    await login("one");
    put("1.0.0");
    await controller.apply("app", spec({ secretRef: { name: "pull" } }));
    await blobs();
  });

  it("that has changed is proved by HEAD", async () => {
    accounts["user"] = { password: "two" };
    await login("two");
    put("1.0.0", { build: "two" });
    expect(await blobs()).toEqual(["HEAD"]);
  });

  it.each([401, 403, 404, 405])("that the registry does not confirm (%i) ends in a download", async (code) => {
    put("1.0.0", { build: "two" });
    controller.restart();
    registry.faults.add({ method: "HEAD", path: /blobs/, status: code, times: 1 });
    expect((await blobs()).filter((method) => method === "GET")).toHaveLength(1);
  });

  it("that is gone for the layer gives nothing, though its manifest can be read", async () => {
    put("1.0.0", { build: "two" });
    const before = (await status())?.artifact;
    controller.restart();
    registry.faults.add({ path: /blobs/, status: 403, times: 99 });
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")).toMatchObject({ status: "False" });
    expect((await status())?.artifact).toEqual(before);
  });
});

it("nothing is reused before the signature of the new version was verified", async () => {
  put("1.0.0");
  await controller.apply("app", spec());
  await blobs();
  put("1.0.0", { build: "two" });
  await controller.apply("app", spec({ verify: { provider: "cosign", secretRef: { name: "keys" } } }));
  const before = (await status())?.artifact;
  const data = {
    "cosign.pub": Buffer.from(
      "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdnWpnZJQDTYzOjGPgLYoGQmUSzRY\nzLDnEtXJwCgzUBtr7vCLvIt3bcOjvkdq2RC2LNiANNFGZoFlcUJ5NTvBvw==\n-----END PUBLIC KEY-----\n",
    ).toString("base64"),
  };
  await controller.kube.create(
    secrets,
    { apiVersion: "v1", kind: "Secret", metadata: { name: "keys", namespace: "default" }, data } as never,
    never,
  );
  await controller.reconcile("app");
  expect(conditionOf(await controller.get("app"), "SourceVerified")).toMatchObject({ status: "False" });
  expect((await status())?.artifact).toEqual(before);
});
