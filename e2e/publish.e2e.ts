import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { tarball } from "./content.ts";
import { tarOf } from "../src/testing/archives/tar.ts";
import { download, type PublishedArtifact } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { crane, digestOfTag } from "./crane.ts";
import { startSourceController } from "./flux.ts";
import { condition, isReady, type KubeObject } from "./kube.ts";
import { startCuttingProxy } from "./proxy.ts";
import { digestOf, fluxArtifact, fluxLayerType, pushArtifact } from "./push.ts";
import type { LoggedRequest, Registry } from "./registry.ts";
import { startRegistry } from "./registry.ts";
import {
  artifactRepository,
  externalArtifactRef,
  isCondition,
  namespace,
  ociRepositoryRef,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { pullSecret } from "./secrets.ts";
import { freePort } from "./server.ts";
import { startStrata, type Strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();

let plane: ControlPlane;
/** Deletes manifests; `keeper` does not, and `locked` asks for a password. */
let registry: Registry;
let keeper: Registry;
let locked: Registry;
let strata: Strata;
/** `127.0.0.1:5000`, where the controller serves what it stores as a registry. */
let endpoint: string;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  keeper = await startRegistry(workspace, { name: "keeper", delete: false });
  endpoint = `127.0.0.1:${await freePort()}`;
  strata = await startStrata(workspace, plane, { flags: [`--oci-endpoint-addr=${endpoint}`] });
  locked = await startRegistry(workspace, { name: "locked", auth: "htpasswd" });
  await plane.admin.create(pullSecret("locked", [locked.host]));
  await startSourceController(workspace, plane);
});

const from = (path: string) => ({ registry, path });
const targetOf = (at: Registry, path: string, more: Spec = {}): Spec => ({
  url: `oci://${at.host}/${path}`,
  insecure: true,
  ...more,
});

interface Row {
  readonly kind: string;
  readonly url?: string;
  readonly digest?: string;
  readonly tags?: readonly string[];
}

const rowsOf = ({ status = {} }: KubeObject): readonly Row[] =>
  (status["published"] as readonly Row[]).filter(({ kind }) => kind === "OCIArtifact");
const artifactOf = (object: KubeObject): PublishedArtifact => object.status?.["artifact"] as PublishedArtifact;

/** What our controller has asked of a repository since then. */
async function requestsSince(before: number, at: Registry, path: string): Promise<readonly LoggedRequest[]> {
  return (await at.requests())
    .slice(before)
    .filter((request) => request.agent.startsWith("strata") && request.path.startsWith(`/v2/${path}/`));
}

const isRead = ({ method }: LoggedRequest): boolean => method === "GET" || method === "HEAD";
const exists = async (at: Registry, path: string, digest: string): Promise<boolean> =>
  (await digestOfTag(`${at.host}/${path}@${digest}`)) !== undefined;

/** Moves `latest` in the registry to new content. */
async function pushVersion(path: string, version: number): Promise<string> {
  const bytes = await tarball({ seed: `${path} ${version}`, files: 3, fileBytes: 2000 });
  return (await pushArtifact(registry, path, "latest", fluxArtifact(bytes))).digest;
}

const target = "published/app";
/** Starts when it is already wanted, and ends before it is wanted no more. */
let late: Registry;

describe("publish.oci", () => {
  it("mounts what the registry has already, and sets the aliases", async () => {
    const oci = targetOf(registry, target, { tags: ["{tag}", "stable", "qa-{tag}"] });
    await plane.admin.create(artifactRepository("app", from("flux/app"), { ref: { tag: "1.0.0" }, publish: { oci } }));
    const object = await readyRepository(plane, "app");
    const [row, ...older] = rowsOf(object);
    expect(older).toEqual([]);
    expect(row).toMatchObject({ url: `oci://${registry.host}/${target}`, tags: ["1.0.0", "stable", "qa-1.0.0"] });
    for (const tag of row?.tags ?? []) expect(await digestOfTag(`${registry.host}/${target}:${tag}`)).toBe(row?.digest);
    const manifest = JSON.parse(await crane(["manifest", `${registry.host}/${target}:stable`])) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    expect(manifest.layers).toEqual([
      expect.objectContaining({ mediaType: fluxLayerType, digest: artifactOf(object).digest }),
    ]);
    const asked = await requestsSince(0, registry, target);
    expect(
      asked.filter(({ method, path }) => method === "POST" && path.includes("mount=")).map(({ status }) => status),
    ).toEqual([201]);
    // The config of a hundred bytes is all that was sent.
    const sent = asked.filter(
      ({ method, path }) => (method === "PUT" || method === "PATCH") && path.includes("/blobs/"),
    );
    expect(sent.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("digest"))).toEqual([
      manifest.config.digest,
    ]);
    expect(
      asked.filter(({ method, path }) => (method === "GET" && path.includes("/blobs/")) || path.includes("/tags/list")),
    ).toEqual([]);
    expect(await plane.admin.find(externalArtifactRef("app"))).toBeUndefined();
  });

  it("pushes nothing when nothing has changed", async () => {
    const before = (await registry.requests()).length;
    const object = await reconcileNow(plane, "app");
    expect(isReady(object)).toBe(true);
    const asked = await requestsSince(before, registry, target);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.map(({ method }) => method)).toEqual(asked.map(() => "HEAD"));
    expect((await requestsSince(before, registry, "flux/app")).filter(({ path }) => path.includes("/blobs/"))).toEqual(
      [],
    );
  });

  it("says in Published that a registry cannot be reached, and goes on by itself", async () => {
    const port = await freePort();
    await plane.admin.create(
      artifactRepository("late", from("flux/app"), {
        ref: { tag: "1.0.0" },
        publish: { oci: { url: `oci://127.0.0.1:${port}/late`, insecure: true } },
      }),
    );
    await plane.admin.waitFor(
      repositoryRef("late"),
      "the failure",
      (object) =>
        isCondition(object, "Published", "False", "PublishFailed") && isCondition(object, "ArtifactInStorage", "True"),
      40_000,
    );
    late = await startRegistry(workspace, { name: "late", port });
    await readyRepository(plane, "late", 60_000);
  });
});

describe("a large artifact", () => {
  const bytes = gzipSync(tarOf({ name: "noise", content: randomBytes(80_000_000) }), { level: 0 });
  const chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

  it("is pushed in chunks, and goes on where its connection was cut", async () => {
    await pushArtifact(registry, "large", "1.0.0", {
      config: { mediaType: "application/vnd.cncf.helm.config.v1+json", bytes: Buffer.from("{}") },
      layers: [{ mediaType: chart, bytes }],
    });
    const proxy = await startCuttingProxy(workspace, keeper.port);
    proxy.cutUploadsAfter(12_000_000);
    const before = (await keeper.requests()).length;
    await plane.admin.create(
      artifactRepository("large", from("large"), {
        ref: { tag: "1.0.0" },
        publish: { oci: { url: `oci://${proxy.host}/large`, insecure: true, tags: ["{tag}"] } },
      }),
    );
    const object = await readyRepository(plane, "large", 60_000);
    expect(proxy.cuts()).toBeGreaterThanOrEqual(6);
    const asked = await requestsSince(before, keeper, "large");
    // One upload of the layer and one of the config; a busy registry may forget the layer's once, but not after each cut.
    expect(
      asked.filter(({ method, path }) => method === "POST" && path.includes("/uploads/")).length,
    ).toBeLessThanOrEqual(3);
    expect(asked.filter(({ method }) => method === "PATCH").length).toBeGreaterThan(1);
    expect(artifactOf(object).digest).toBe(digestOf(bytes));
    await crane(["validate", "--fast", "--remote", `${keeper.host}/large:1.0.0`]);
    expect(
      digestOf(Buffer.from(await (await fetch(`${keeper.url}/v2/large/blobs/${digestOf(bytes)}`)).arrayBuffer())),
    ).toBe(digestOf(bytes));
  });
});

describe("an alias", () => {
  it("of an edited reference moves, and those of before stay", async () => {
    const before = rowsOf(await plane.admin.get(repositoryRef("app")))[0]?.digest;
    await plane.admin.patch(repositoryRef("app"), { spec: { ref: { tag: "1.1.0" } } });
    const [row, older] = rowsOf(await readyRepository(plane, "app"));
    expect(row?.digest).not.toBe(before);
    expect(older).toEqual({ kind: "OCIArtifact", url: row?.url, digest: before });
    for (const tag of ["1.1.0", "stable", "qa-1.1.0"])
      expect(await digestOfTag(`${registry.host}/${target}:${tag}`)).toBe(row?.digest);
    for (const tag of ["1.0.0", "qa-1.0.0"])
      expect(await digestOfTag(`${registry.host}/${target}:${tag}`)).toBe(before);
  });

  it("that somebody has moved is moved back, and nothing else is written", async () => {
    await crane(["tag", `${registry.host}/${target}:1.0.0`, "stable"]);
    const before = (await registry.requests()).length;
    const [row] = rowsOf(await reconcileNow(plane, "app"));
    expect(await digestOfTag(`${registry.host}/${target}:stable`)).toBe(row?.digest);
    const written = (await requestsSince(before, registry, target)).filter((request) => !isRead(request));
    expect(written.map(({ method, path }) => `${method} ${path}`)).toEqual([`PUT /v2/${target}/manifests/stable`]);
  });
});

describe("retain", () => {
  it("deletes older manifests by digest, and nothing that is another's", async () => {
    const path = "retained/app";
    await pushVersion("versions/deleted", 0);
    await crane(["copy", `${registry.host}/flux/app:1.0.0`, `${registry.host}/${path}:foreign`]);
    await plane.admin.create(
      artifactRepository("deleted", from("versions/deleted"), {
        publish: { externalArtifact: {}, oci: targetOf(registry, path, { tags: ["stable"], retain: 2 }) },
      }),
    );
    const digests = [rowsOf(await readyRepository(plane, "deleted"))[0]?.digest ?? ""];
    for (const version of [1, 2, 3]) {
      await pushVersion("versions/deleted", version);
      digests.unshift(rowsOf(await reconcileNow(plane, "deleted"))[0]?.digest ?? "");
    }
    const object = await plane.admin.get(repositoryRef("deleted"));
    expect(new Set(digests).size).toBe(4);
    expect(rowsOf(object).map(({ digest }) => digest)).toEqual(digests.slice(0, 2));
    expect(await Promise.all(digests.map((digest) => exists(registry, path, digest)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(await digestOfTag(`${registry.host}/${path}:stable`)).toBe(digests[0]);
    expect(await digestOfTag(`${registry.host}/${path}:foreign`)).toBeDefined();
    expect(condition(object, "Published")?.message).not.toContain("keeps older");
  });

  it("says once that a registry deletes nothing", async () => {
    const path = "retained/app";
    await pushVersion("versions/kept", 0);
    await plane.admin.create(
      artifactRepository("kept", from("versions/kept"), { publish: { oci: targetOf(keeper, path, { retain: 1 }) } }),
    );
    const first = rowsOf(await readyRepository(plane, "kept"))[0]?.digest ?? "";
    await pushVersion("versions/kept", 1);
    const object = await reconcileNow(plane, "kept");
    expect(isReady(object)).toBe(true);
    expect(condition(object, "Published")).toMatchObject({
      status: "True",
      message: expect.stringContaining("keeps older manifests"),
    });
    expect(rowsOf(object).map(({ digest }) => digest)).toContain(first);
    expect(await exists(keeper, path, first)).toBe(true);
    const again = await reconcileNow(plane, "kept");
    expect(again.status?.["conditions"]).toEqual(object.status?.["conditions"]);
    const events = (await plane.admin.list("Event", namespace)).filter(
      (event) => (event["involvedObject"] as { name: string }).name === "kept",
    );
    expect(events.filter((event) => event["type"] === "Warning")).toEqual([]);
  });
});

describe("a deleted object", () => {
  it("takes along what was pushed for it, and nothing else", async () => {
    const rows = rowsOf(await plane.admin.get(repositoryRef("deleted")));
    await plane.admin.delete(repositoryRef("deleted"));
    await expect
      .poll(async () => await plane.admin.find(repositoryRef("deleted")), { timeout: 15_000 })
      .toBeUndefined();
    expect(await Promise.all(rows.map(({ digest = "" }) => exists(registry, "retained/app", digest)))).toEqual([
      false,
      false,
    ]);
    expect(await crane(["ls", `${registry.host}/retained/app`])).toBe("foreign");
    expect(await plane.admin.find(externalArtifactRef("deleted"))).toBeUndefined();
    expect(await readdir(join(strata.storage, "artifactrepository", namespace))).not.toContain("deleted");
  });

  it("is gone although its registry deletes nothing, or has gone before", async () => {
    await late.stop();
    for (const name of ["kept", "late"]) {
      await plane.admin.delete(repositoryRef(name));
      await expect.poll(async () => await plane.admin.find(repositoryRef(name)), { timeout: 30_000 }).toBeUndefined();
    }
  });
});

describe("a managed OCIRepository", () => {
  const theirs = async (name: string, digest: string): Promise<KubeObject> =>
    await plane.admin.waitFor(
      ociRepositoryRef(name),
      "read by source-controller",
      (object) => isReady(object) && object.status?.["artifact"]?.digest === digest,
    );

  it.each<[string, string, () => Spec | undefined]>([
    ["push target", "managed-target", () => targetOf(registry, "managed/app")],
    [
      "private push target",
      "managed-private",
      () => targetOf(locked, "managed/app", { secretRef: { name: "locked" } }),
    ],
    ["embedded endpoint", "managed-endpoint", () => undefined],
  ])(
    "at the %s gives source-controller our bytes, changes with the content alone, and goes with its owner",
    async (_, name, makeTarget) => {
      const oci = makeTarget();
      await plane.admin.create(
        artifactRepository(name, from("flux/app"), {
          ref: { tag: "1.0.0" },
          publish: { ociRepository: {}, ...(oci && { oci }) },
        }),
      );
      const ours = artifactOf(await readyRepository(plane, name));
      const first = await theirs(name, ours.digest);
      expect(first.spec).toMatchObject({
        insecure: true,
        ...(oci ?? { url: `oci://${endpoint}/${namespace}/${name}` }),
      });
      expect(await download(first.status?.["artifact"] as PublishedArtifact)).toEqual(await download(ours));
      await reconcileNow(plane, name);
      expect((await plane.admin.get(ociRepositoryRef(name))).metadata.generation).toBe(first.metadata.generation);
      await plane.admin.patch(repositoryRef(name), { spec: { ref: { tag: "1.1.0" } } });
      const changed = artifactOf(await readyRepository(plane, name));
      expect(changed.digest).not.toBe(ours.digest);
      await theirs(name, changed.digest);
      await plane.admin.delete(repositoryRef(name));
      for (const ref of [ociRepositoryRef(name), repositoryRef(name)])
        await expect.poll(async () => await plane.admin.find(ref), { timeout: 15_000 }).toBeUndefined();
    },
  );
});

async function emptyStorage(): Promise<void> {
  for (const name of await readdir(strata.storage)) await rm(join(strata.storage, name), { recursive: true });
}

describe("an upstream that is gone", () => {
  it("is made up for by the push target, also after the storage was lost", async () => {
    const upstream = await startRegistry(workspace, { name: "upstream" });
    await crane(["copy", `${registry.host}/flux/app:1.0.0`, `${upstream.host}/app:1.0.0`]);
    const spec = {
      ref: { tag: "1.0.0" },
      publish: { externalArtifact: {}, oci: targetOf(registry, "mirror/app", { tags: ["{tag}"] }) },
    };
    await plane.admin.create(artifactRepository("mirrored", { registry: upstream, path: "app" }, spec));
    const before = await readyRepository(plane, "mirrored");
    const [bytes, image] = [
      await download(artifactOf(before)),
      await crane(["manifest", `${endpoint}/${namespace}/mirrored:1.0.0`]),
    ];
    await Promise.all([upstream.stop(), strata.server.stop()]);
    await emptyStorage();
    const asked = (await registry.requests()).length;
    strata = await strata.restart();
    const failed = await plane.admin.waitFor(
      repositoryRef("mirrored"),
      "the failure",
      (object) => isCondition(object, "FetchFailed", "True") && isCondition(object, "Ready", "False"),
      40_000,
    );
    expect(condition(failed, "ArtifactInStorage")).toMatchObject({ status: "True" });
    expect(failed.status).toMatchObject({ artifact: artifactOf(before) });
    expect(await download(artifactOf(failed))).toEqual(bytes);
    expect(await download(await publishedArtifact(plane, "mirrored"))).toEqual(bytes);
    expect(await crane(["manifest", `${endpoint}/${namespace}/mirrored:1.0.0`])).toBe(image);
    // What has a push target is not read again from an upstream that is still there, either.
    expect(isReady(await reconcileNow(plane, "app"))).toBe(true);
    const blobs = async (path: string): Promise<number> =>
      (await requestsSince(asked, registry, path)).filter(
        (request) => request.method === "GET" && request.path.includes("/blobs/"),
      ).length;
    expect([await blobs(target), await blobs("flux/app")]).toEqual([1, 0]);
  });

  it("is not asked for what is lost while the controller runs", async () => {
    await emptyStorage();
    const object = await reconcileNow(plane, "mirrored");
    expect(isCondition(object, "FetchFailed", "True")).toBe(true);
    expect((await download(artifactOf(object))).length).toBe(artifactOf(object).size);
  });
});
