import { readdir, readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { download, filesOfTarball, parseChecksums, type Files, type PublishedArtifact } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startKustomizeController, startSourceController } from "./flux.ts";
import { condition, hasArtifact, isReady, parseDocuments } from "./kube.ts";
import { digestOf, fluxLayerType, pushArtifact, pushIndex } from "./push.ts";
import type { Registry } from "./registry.ts";
import {
  artifactRepository,
  configMap,
  configMapRef,
  isCondition,
  kustomization,
  namespace,
  ociRepositoryRef,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { startStrata } from "./strata.ts";
import { throughout } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  await startStrata(workspace, plane);
  await Promise.all([startSourceController(workspace, plane), startKustomizeController(workspace, plane)]);
});

const from = (path: string) => ({ registry, path });

async function filesOf(name: string): Promise<Files> {
  return await filesOfTarball(await download(await publishedArtifact(plane, name)));
}

describe("an OCIRepository of which only apiVersion and kind are changed", () => {
  it.each<[string, string, Spec]>([
    ["tag", "flux/app", { ref: { tag: "1.0.0" } }],
    ["range", "flux/app", { ref: { semver: ">=1.0.0 <2.0.0" } }],
    ["filter", "flux/app", { ref: { semver: ">=1.0.0-0", semverFilter: ".*-rc.*" } }],
    [
      "digest",
      "flux/app",
      { ref: { digest: "sha256:12b1a20ca2d375e85dd5421941b25fbbcdb1b93e84f444c8c60d75fe0571e02b" } },
    ],
    ["ignore", "flux/app", { ref: { tag: "1.0.0" }, ignore: "/*\n!/deploy\n" }],
    ["reinclude", "flux/app", { ref: { tag: "1.0.0" }, ignore: "deploy/\n!deploy/**/*.yaml\n" }],
    [
      "extract",
      "flux/app",
      {
        ref: { tag: "1.0.0" },
        layerSelector: { mediaType: fluxLayerType, operation: "extract" },
      },
    ],
    [
      "copy",
      "flux/app",
      {
        ref: { tag: "1.0.0" },
        layerSelector: { mediaType: fluxLayerType, operation: "copy" },
      },
    ],
    [
      "chart",
      "helm/chart",
      {
        ref: { semver: "0.x" },
        layerSelector: { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", operation: "copy" },
      },
    ],
    [
      "first-layer",
      "timoni/mod",
      {
        ref: { tag: "1.0.0" },
        layerSelector: { mediaType: "application/vnd.timoni.content.v1.tar+gzip", operation: "extract" },
      },
    ],
    [
      "latest",
      "timoni/mod",
      { layerSelector: { mediaType: "application/vnd.timoni.content.v1.tar+gzip", operation: "extract" } },
    ],
  ])("gives the same files: %s", async (name, path, spec) => {
    const ours = artifactRepository(`same-${name}`, from(path), spec);
    const theirs = { ...ours, apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" };
    await Promise.all([plane.admin.create(ours), plane.admin.create(theirs)]);
    const [expected] = await Promise.all([
      plane.admin.waitFor(ociRepositoryRef(ours.metadata.name), "ready", hasArtifact),
      readyRepository(plane, ours.metadata.name),
    ]);
    const artifact = expected.status?.["artifact"] as PublishedArtifact;
    expect(await filesOf(ours.metadata.name)).toEqual(await filesOfTarball(await download(artifact)));
    if (name === "chart" || name === "copy")
      expect((await publishedArtifact(plane, ours.metadata.name)).digest).toBe(artifact.digest);
  });
});

describe("what source-controller cannot give", () => {
  it("a Timoni module as timoni itself pulls it", async () => {
    await plane.admin.create(artifactRepository("timoni", from("timoni/mod"), { ref: { tag: "1.0.0" } }));
    const object = await readyRepository(plane, "timoni");
    expect(object.status).toMatchObject({
      selected: { operation: "ExtractAll", layerCount: 2 },
      upstream: { tag: "1.0.0" },
    });
    const pulled = await readFile(
      new URL("../src/testing/fixtures/expected/timoni-mod-pull.sha256", import.meta.url),
      "utf8",
    );
    expect(await filesOf("timoni")).toEqual(parseChecksums(pulled));
  });

  it("a child of a nested index, which a Kustomization applies", async () => {
    const consumer = kustomization("product", "./deploy");
    await plane.admin.create({ ...consumer, spec: { ...consumer.spec, namePrefix: "nested-" } });
    await plane.admin.create(
      artifactRepository("product", from("product"), {
        ref: { tag: "1.0.0" },
        indexSelector: { artifactType: "application/vnd.cncf.flux.config.v1+json" },
      }),
    );
    const applied = await plane.admin.waitFor(configMapRef("nested-fx-app"), "applied", () => true, 60_000);
    expect(applied["data"]).toEqual({ greeting: "hello from fx" });
    const { revision } = await publishedArtifact(plane, "product");
    await plane.admin.waitFor(
      { kind: "Kustomization", namespace, name: "product" },
      "ready",
      (object) => isReady(object) && object.status?.["lastAppliedRevision"] === revision,
    );
  });

  it("a signed Helm chart, found without a selector, byte for byte", async () => {
    await plane.admin.create(artifactRepository("chart", from("helm/chart"), { ref: { tag: "0.1.0" } }));
    await readyRepository(plane, "chart");
    expect((await publishedArtifact(plane, "chart")).digest).toBe(
      "sha256:d09024b4ee162a1a7f85ac0cbdffd11f2a6adfb3abb8a8255d519c1d657606f5",
    );
  });
});

describe("an ORAS bundle of manifests", () => {
  const title = (name: string) => ({ "org.opencontainers.image.title": name });
  const yaml = (name: string, text: string) => ({
    mediaType: "application/yaml",
    bytes: Buffer.from(text),
    annotations: title(name),
  });
  const revisionOf = async () => (await publishedArtifact(plane, "bundle")).revision;

  it("becomes objects in the cluster", async () => {
    const layers = [
      yaml("one.yaml", configMap("bundle-one", { from: "oras" })),
      yaml("parts/two.yaml", configMap("bundle-two", { from: "oras" })),
    ];
    await pushArtifact(registry, "team/bundle", "1.0.0", { artifactType: "application/vnd.example.manifests", layers });
    await plane.admin.create(kustomization("bundle", "./"));
    await plane.admin.create(artifactRepository("bundle", from("team/bundle"), { ref: { tag: "1.0.0" } }));
    for (const name of ["bundle-one", "bundle-two"])
      expect((await plane.admin.waitFor(configMapRef(name), "applied", () => true))["data"]).toEqual({ from: "oras" });
    expect(Object.keys(await filesOf("bundle"))).toEqual(["one.yaml", "parts/two.yaml"]);
  });

  it("follows an edit of the selector at once, though every interval is an hour", async () => {
    const before = await revisionOf();
    await plane.admin.patch(repositoryRef("bundle"), { spec: { layerSelector: { annotations: title("parts/*") } } });
    await plane.admin.waitFor(configMapRef("bundle-two"), "kept", () => true);
    await expect
      .poll(async () => await plane.admin.find(configMapRef("bundle-one")), { timeout: 15_000 })
      .toBeUndefined();
    expect(await revisionOf()).not.toBe(before);
  });

  it("follows an edit of what is ignored at once", async () => {
    await plane.admin.patch(repositoryRef("bundle"), { spec: { layerSelector: null, ignore: "/parts\n" } });
    await plane.admin.waitFor(configMapRef("bundle-one"), "back", () => true, 15_000);
    await expect
      .poll(async () => await plane.admin.find(configMapRef("bundle-two")), { timeout: 15_000 })
      .toBeUndefined();
  });

  it("gets no new revision when its index is rebuilt with the same content", async () => {
    const manifest = await pushArtifact(registry, "team/rebuilt", "inner", {
      artifactType: "application/vnd.example.manifests",
      layers: [yaml("three.yaml", configMap("bundle-three", { from: "index" }))],
    });
    const first = await pushIndex(registry, "team/rebuilt", "1.0.0", {
      manifests: [manifest],
      annotations: { build: "1" },
    });
    await plane.admin.create(kustomization("rebuilt", "./"));
    await plane.admin.create(artifactRepository("rebuilt", from("team/rebuilt"), { ref: { tag: "1.0.0" } }));
    await plane.admin.waitFor({ kind: "Kustomization", namespace, name: "rebuilt" }, "ready", isReady, 60_000);
    const kustomized = async () =>
      (await plane.admin.get({ kind: "Kustomization", namespace, name: "rebuilt" })).metadata.resourceVersion;
    const [before, applied] = [await publishedArtifact(plane, "rebuilt"), await kustomized()];
    expect((await plane.admin.get(repositoryRef("rebuilt"))).status).toMatchObject({
      upstream: { digest: first.digest },
    });
    const second = await pushIndex(registry, "team/rebuilt", "1.0.0", {
      manifests: [manifest],
      annotations: { build: "2" },
    });
    const asked = (await registry.requests()).length;
    expect((await reconcileNow(plane, "rebuilt")).status).toMatchObject({ upstream: { digest: second.digest } });
    const paths = (await registry.requests()).slice(asked).map(({ path }) => path);
    expect(paths.join()).toContain("team/rebuilt/manifests/");
    expect(paths.filter((path) => path.includes("/blobs/"))).toEqual([]);
    const { revision, digest, url } = await publishedArtifact(plane, "rebuilt");
    expect({ revision, digest, url }).toEqual({ revision: before.revision, digest: before.digest, url: before.url });
    await throughout("the Kustomization is left alone", async () => (await kustomized()) === applied, 3000, 500);
  });
});

describe("twins that no selector tells apart", () => {
  const twins = [
    "sha256:4958527f6520240156b1992fd608d03e6ec8069294e645fe491ce3fc9aa552ce",
    "sha256:5cf2ae6897ab9b28eb300bef715b60cea7ae7a0441b328912ddc4564b31785e6",
  ] as const;

  it("stall, with both digests and what to write, until an edit names one", async () => {
    await plane.admin.create(artifactRepository("twin", from("twin"), { ref: { tag: "1.0.0" } }));
    const stalled = await plane.admin.waitFor(repositoryRef("twin"), "stalled", (object) =>
      isCondition(object, "Stalled", "True", "AmbiguousManifest"),
    );
    const message = condition(stalled, "Stalled")?.message ?? "";
    for (const digest of twins) expect(message).toContain(digest);
    expect(stalled.status?.["artifact"]).toBeUndefined();
    expect(await plane.admin.find({ kind: "ExternalArtifact", namespace, name: "twin" })).toBeUndefined();
    await plane.admin.patch(repositoryRef("twin"), { spec: { ref: { tag: null, digest: twins[1] } } });
    const ready = await readyRepository(plane, "twin");
    expect(condition(ready, "Stalled")).toBeUndefined();
    expect(await filesOf("twin")).toEqual({ "dir/b.txt": digestOf(Buffer.from("b\n")).slice("sha256:".length) });
  });
});

describe("the samples", () => {
  const sampleHost = "registry.strata.local:5000";
  const read = async (folder: string, file: string) =>
    parseDocuments(
      (await readFile(new URL(`../config/${folder}/${file}`, import.meta.url), "utf8")).replaceAll(
        sampleHost,
        registry.host,
      ),
    );

  it("all become ready, and what consumes them applies them", async () => {
    const files = (await readdir(new URL("../config/samples/", import.meta.url))).filter((file) =>
      file.endsWith(".yaml"),
    );
    const samples = (await Promise.all(files.map(async (file) => await read("samples", file)))).flat();
    for (const object of samples) await plane.admin.apply(object);
    const repositories = samples.filter(({ kind }) => kind === "ArtifactRepository");
    expect(repositories.length).toBeGreaterThan(10);
    await Promise.all(repositories.map(async ({ metadata }) => await readyRepository(plane, metadata.name)));
    await plane.admin.apply({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "clusterpolicies.kyverno.io" },
      spec: {
        group: "kyverno.io",
        scope: "Cluster",
        names: { kind: "ClusterPolicy", plural: "clusterpolicies" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    });
    const applied: Record<string, string[]> = {};
    for (const file of ["consume-flux-app.yaml", "consume-product.yaml", "consume-kyverno-policies.yaml"]) {
      const [consumer] = await read("cluster-samples", file);
      await plane.admin.create(consumer!);
      const { name } = consumer!.metadata;
      // Flux's controllers write their conditions first, and the rest of the status a moment later.
      const object = await plane.admin.waitFor(
        { kind: "Kustomization", namespace, name },
        "ready",
        (found) => isReady(found) && found.status?.["inventory"] !== undefined,
      );
      applied[name] = (object.status!["inventory"] as { entries: { id: string }[] }).entries.map(({ id }) => id).sort();
    }
    expect(applied).toEqual({
      "flux-app": ["default_fx-app__ConfigMap"],
      "product-flux-app": ["default_product-fx-app__ConfigMap"],
      "kyverno-policies": ["_a_kyverno.io_ClusterPolicy", "_b_kyverno.io_ClusterPolicy"],
    });
  });
});
