import { artifactRepositories, externalArtifacts, imagePolicies, ociRepositories, secrets } from "../../api/kinds.ts";
import { generateKeyPairSync } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FINALIZER } from "../../api/v1beta1/constants.ts";
import type { OciRepository } from "../../api/flux/source.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

const never = new AbortController().signal;
const key = { namespace: "default", name: "app" };
let registry: TestRegistry;
let controller: TestReconciler;

beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const spec = (repository: string, more: object = {}): object => specOf(registry, repository, more);
const revision = async (): Promise<string> => (await controller.get("app"))!.status!.artifact!.revision;
const requestsFor = async (work: () => Promise<unknown>): Promise<string[]> => {
  const before = registry.requests.length;
  await work();
  return registry.requests
    .slice(before)
    .map(({ method, path }) => `${method} ${path.replace(/\/v2\/[a-z/]*?\/(manifests|blobs)\/.*/, "$1")}`);
};

describe("a new object", () => {
  it("becomes ready with two requests, and stays so with one and no write", async () => {
    await controller.apply("app", spec("flux/app"));
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["GET manifests", "GET blobs"]);
    expect(controller.writes().map(({ verb, type }) => `${verb} ${type.kind}`)).toEqual([
      "create ExternalArtifact",
      "apply ExternalArtifact",
      "patch ArtifactRepository",
    ]);
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["HEAD manifests"]);
    expect(controller.writes()).toEqual([]);
  });

  it("has the status that the API describes", async () => {
    await controller.apply("app", spec("flux/app"));
    expect(await controller.reconcile("app")).toEqual({ kind: "after", milliseconds: 600_000 });
    const object = await controller.get("app");
    expect(object?.metadata.finalizers).toBeUndefined();
    expect(object?.status).toMatchObject({
      observedGeneration: 1,
      artifact: {
        revision: expect.stringMatching(/^1\.0\.0@sha256:/),
        metadata: { "source.strata.dev/upstream-url": `oci://${registry.host}/flux/app` },
      },
      upstream: { tag: "1.0.0", digest: expect.stringMatching(/^sha256:/) },
      selected: { operation: "Extract", layerCount: 1 },
      published: [{ kind: "ExternalArtifact", name: "app" }],
    });
    expect(["Ready", "ArtifactInStorage", "Published"].map((type) => conditionOf(object, type)?.status)).toEqual([
      "True",
      "True",
      "True",
    ]);
    expect(conditionOf(object, "Ready")?.message).toBe(
      `stored artifact for revision '${object?.status?.artifact?.revision}'`,
    );
  });

  it("is published as an ExternalArtifact whose URL serves the file", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const published = await controller.externalArtifact("app");
    expect(published?.spec.sourceRef).toMatchObject({ kind: "ArtifactRepository", name: "app" });
    const artifact = published?.status?.artifact;
    const response = await fetch(artifact!.url);
    expect([response.status, Number(response.headers.get("content-length"))]).toEqual([200, artifact!.size]);
    await response.arrayBuffer();
  });

  it("is announced once", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.reconcile("app");
    expect(controller.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(["Normal NewArtifact"]);
  });
});

describe("what consumers are told", () => {
  it("stays served while nothing newer can be published, however often the content changes", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const { artifact } = (await controller.externalArtifact("app"))!.status!;
    for (const ignore of ["/docs", "/deploy", "*.md"]) {
      await controller.apply(
        "app",
        spec("flux/app", {
          ignore,
          publish: { externalArtifact: {}, oci: { url: "oci://127.0.0.1:1/nowhere", insecure: true } },
        }),
      );
      expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
    }
    expect((await controller.externalArtifact("app"))?.status?.artifact).toEqual(artifact);
    expect((await fetch(artifact!.url)).status).toBe(200);
  });
});

describe("a change", () => {
  it("of the selector changes the revision", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const before = await revision();
    await controller.apply("app", spec("flux/app", { ignore: "/*\n!/deploy\n" }));
    await controller.reconcile("app");
    const object = await controller.get("app");
    expect(await revision()).not.toBe(before);
    expect(object?.status?.observedIgnore).toBe("/*\n!/deploy\n");
    const published = await controller.externalArtifact("app");
    expect(published?.status?.artifact).toEqual(object?.status?.artifact);
  });

  it("of the interval downloads nothing", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.apply("app", spec("flux/app", { interval: "1h" }));
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["HEAD manifests"]);
    expect((await controller.get("app"))?.status?.observedGeneration).toBe(2);
  });

  it("to nonsense stalls, and the artifact stays", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.apply("app", spec("flux/app", { interval: "soon" }));
    expect(await controller.reconcile("app")).toEqual({ kind: "forget" });
    const object = await controller.get("app");
    expect(conditionOf(object, "Stalled")).toMatchObject({ status: "True", reason: "InvalidSpec" });
    expect(conditionOf(object, "Ready")?.message).toContain("spec.interval");
    expect((await fetch(object!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
  });

  it("to suspended stops everything", async () => {
    await controller.apply("app", spec("flux/app", { suspend: true }));
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual([]);
    expect(controller.writes()).toHaveLength(1);
    expect((await controller.get("app"))?.status).toMatchObject({ observedGeneration: 1 });
    await controller.reconcile("app");
    expect(controller.writes()).toEqual([]);
  });
});

describe("a failure", () => {
  it("of the registry keeps the artifact, is tried again, and passes", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.apply("app", { ...spec("flux/app"), url: "oci://127.0.0.1:1/flux/app" });
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry", code: "RegistryUnreachable" });
    const failed = await controller.get("app");
    expect(conditionOf(failed, "FetchFailed")).toMatchObject({ status: "True", reason: "OCIArtifactPullFailed" });
    expect(conditionOf(failed, "Reconciling")).toMatchObject({ status: "True", reason: "ProgressingWithRetry" });
    expect((await fetch(failed!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const object = await controller.get("app");
    expect(conditionOf(object, "Ready")?.status).toBe("True");
    expect(conditionOf(object, "FetchFailed")).toBeUndefined();
    expect(controller.events.at(-1)).toMatchObject({ type: "Normal" });
  });

  it("to choose stalls with the candidates, and asks upstream no more than whether it moved", async () => {
    await controller.apply("app", spec("twin"));
    expect(await controller.reconcile("app")).toEqual({ kind: "after", milliseconds: 600_000 });
    const object = await controller.get("app");
    expect(conditionOf(object, "Stalled")).toMatchObject({ status: "True", reason: "AmbiguousManifest" });
    const [short, whole] = ["Ready", "Stalled"].map((type) => conditionOf(object, type)!.message);
    expect(short).toMatch(/^[^\n]*; see the condition Stalled$/);
    expect(whole?.match(/sha256:[a-f0-9]{64}/g)?.length).toBeGreaterThanOrEqual(2);
    // What is to be copied stands last.
    expect(whole).toMatch(/, write\nref:\n {2}digest: sha256:[a-f0-9]{64}$/);
    controller.writes();
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["HEAD manifests"]);
    expect(controller.writes()).toEqual([]);
    await controller.apply("app", spec("twin"), { "reconcile.fluxcd.io/requestedAt": "now" });
    await controller.reconcile("app");
    expect((await controller.get("app"))?.status?.lastHandledReconcileAt).toBe("now");
  });

  it("to find a Secret waits for it", async () => {
    await controller.apply("app", spec("flux/app", { secretRef: { name: "regcred" } }));
    expect(await controller.reconcile("app")).toEqual({ kind: "after", milliseconds: 5000 });
    expect(conditionOf(await controller.get("app"), "FetchFailed")?.message).toContain("default/regcred");
    const config = Buffer.from(
      JSON.stringify({ auths: { [registry.host]: { username: "u", password: "p" } } }),
    ).toString("base64");
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "regcred" },
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": config },
    };
    await controller.kube.create(secrets, secret, never);
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")?.status).toBe("True");
  });

  it("of the signature publishes nothing, and keeps what was published before", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = publicKey.export({ type: "spki", format: "pem" });
    const keys = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "keys" },
      data: { "cosign.pub": Buffer.from(pem).toString("base64") },
    };
    await controller.kube.create(secrets, keys, never);
    const verified = spec("flux/app", { verify: { provider: "cosign", secretRef: { name: "keys" } } });
    await controller.apply("app", verified);
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry", code: "VerificationFailed" });
    expect(conditionOf(await controller.get("app"), "SourceVerified")).toMatchObject({
      status: "False",
      reason: "VerificationError",
    });
    expect(await controller.externalArtifact("app")).toBeUndefined();
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const before = await revision();
    await controller.apply("app", verified);
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")).toMatchObject({
      status: "False",
      reason: "VerificationError",
    });
    expect([await revision(), (await controller.externalArtifact("app"))?.status?.artifact?.revision]).toEqual([
      before,
      before,
    ]);
  });

  it("to read the keys is said of the Secret", async () => {
    const keys = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "keys" },
      data: { "cosign.pub": Buffer.from("no key").toString("base64") },
    };
    await controller.kube.create(secrets, keys, never);
    await controller.apply("app", spec("flux/app", { verify: { provider: "cosign", secretRef: { name: "keys" } } }));
    await controller.reconcile("app");
    const said = { status: "False", reason: "VerificationError", message: expect.stringContaining("Secret keys") };
    for (const type of ["Ready", "SourceVerified"])
      expect(conditionOf(await controller.get("app"), type)).toMatchObject(said);
    expect(await controller.externalArtifact("app")).toBeUndefined();
  });
});

describe("an ExternalArtifact", () => {
  it("of somebody else is not touched", async () => {
    const foreign = {
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "ExternalArtifact",
      metadata: { ...key },
      spec: { sourceRef: { kind: "ArtifactGenerator", name: "other" } },
    };
    await controller.kube.create(externalArtifacts, foreign, never);
    await controller.apply("app", spec("flux/app"));
    expect(await controller.reconcile("app")).toEqual({ kind: "after", milliseconds: 5000 });
    expect(conditionOf(await controller.get("app"), "Published")).toMatchObject({
      status: "False",
      reason: "NotOwned",
    });
    expect((await controller.externalArtifact("app"))?.spec).toEqual(foreign.spec);
  });

  it("that cannot exist is said to be missing, and what was built is not built again", async () => {
    const bare = await startTestReconciler({ kinds: [artifactRepositories, secrets] });
    try {
      await bare.apply("app", spec("flux/app"));
      await bare.reconcile("app");
      expect(conditionOf(await bare.get("app"), "Published")).toMatchObject({ status: "False", reason: "CRDMissing" });
      expect(await requestsFor(() => bare.reconcile("app"))).toEqual(["HEAD manifests"]);
    } finally {
      await bare.close();
    }
  });

  it("that was deleted comes back", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.kube.delete(externalArtifacts, key, {}, never);
    await controller.reconcile("app");
    expect((await controller.externalArtifact("app"))?.status?.artifact).toBeDefined();
  });
});

describe("the stored file", () => {
  it("is read once in the life of a process, and made again where it is gone", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    const path = (await controller.get("app"))!.status!.artifact!.path;
    controller.restart();
    expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["HEAD manifests"]);
    for (const restart of [() => controller.restart(), () => undefined]) {
      await rm(join(controller.root, path));
      restart();
      expect(await requestsFor(() => controller.reconcile("app"))).toEqual(["HEAD manifests", "GET blobs"]);
      expect((await fetch((await controller.get("app"))!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
    }
  });

  it("is out of both statuses where it is gone and cannot be made again", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await rm(join(controller.root, (await controller.get("app"))!.status!.artifact!.path));
    controller.restart();
    registry.faults.add({ path: /./, times: 1000, status: 404 });
    await controller.reconcile("app");
    const [object, published] = [await controller.get("app"), await controller.externalArtifact("app")];
    expect([object?.status?.artifact, object?.status?.url, published?.status?.artifact]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(conditionOf(object, "Ready")?.status).toBe("False");
    expect(conditionOf(object, "ArtifactInStorage")).toBeUndefined();
    expect(published?.status?.conditions).toMatchObject([{ type: "Ready", status: "Unknown" }]);
  });

  it("is made again where the whole storage was emptied under a running process", async () => {
    await controller.apply("app", spec("flux/app", { ignore: "/docs" }));
    await controller.reconcile("app");
    const before = (await controller.get("app"))!.status!.artifact!;
    for (const name of await readdir(controller.root)) await rm(join(controller.root, name), { recursive: true });
    await controller.reconcile("app");
    expect((await controller.get("app"))?.status?.artifact).toMatchObject({
      revision: before.revision,
      digest: before.digest,
    });
    expect((await fetch(before.url, { method: "HEAD" })).status).toBe(200);
  });

  it("leaves no scratch files behind", async () => {
    await controller.apply("app", spec("flux/app", { ignore: "/docs" }));
    await controller.reconcile("app");
    const files = await readdir(join(controller.root, ".scratch"), { recursive: true, withFileTypes: true });
    expect(files.filter((file) => !file.isDirectory())).toEqual([]);
  });
});

describe("objects that ask for the same", () => {
  const names = ["one", "two", "three"];

  it("share one manifest and one download, and have files of their own", async () => {
    for (const name of names) await controller.apply(name, spec("flux/app"));
    const askedAt = performance.now();
    const requests = await requestsFor(() => Promise.all(names.map((name) => controller.reconcile(name, askedAt))));
    expect(requests).toEqual(["GET manifests", "GET blobs"]);
    const objects = await Promise.all(names.map((name) => controller.get(name)));
    expect(new Set(objects.map((object) => object?.status?.artifact?.revision)).size).toBe(1);
    expect(new Set(objects.map((object) => object?.status?.artifact?.path)).size).toBe(3);
    for (const object of objects)
      expect((await fetch(object!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
  });

  it("ask again where the wish is newer than the answer", async () => {
    for (const name of names) await controller.apply(name, spec("flux/app"));
    await controller.reconcile("one");
    expect(await requestsFor(() => controller.reconcile("two"))).toEqual(["HEAD manifests"]);
  });

  it("share nothing that their own credentials did not show them", async () => {
    const guarded = await startRegistry({
      fixtures: true,
      auth: { kind: "basic", accounts: { u: { password: "p" } } },
    });
    try {
      const config = Buffer.from(
        JSON.stringify({ auths: { [guarded.host]: { username: "u", password: "p" } } }),
      ).toString("base64");
      await controller.kube.create(
        secrets,
        {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { namespace: "default", name: "regcred" },
          type: "kubernetes.io/dockerconfigjson",
          data: { ".dockerconfigjson": config },
        } as never,
        never,
      );
      const guardedSpec = { ...spec("flux/app"), url: `oci://${guarded.host}/flux/app` };
      await controller.apply("one", { ...guardedSpec, secretRef: { name: "regcred" } });
      await controller.apply("two", guardedSpec);
      const askedAt = performance.now();
      await controller.reconcile("one", askedAt);
      await controller.reconcile("two", askedAt);
      expect([
        conditionOf(await controller.get("one"), "Ready")?.status,
        conditionOf(await controller.get("two"), "Ready")?.reason,
      ]).toEqual(["True", "OCIArtifactPullFailed"]);
    } finally {
      await guarded.close();
    }
  });

  it("read a tag list once an interval", async () => {
    for (const name of names) await controller.apply(name, spec("flux/app", { ref: { semver: ">=1.0.0" } }));
    const askedAt = performance.now();
    for (const name of names) await controller.reconcile(name, askedAt);
    const lists = (): number => registry.requests.filter(({ path }) => path.includes("/tags/list")).length;
    expect(lists()).toBe(1);
    await controller.reconcile("two");
    expect(lists()).toBe(1);
    await controller.apply("two", spec("flux/app", { ref: { semver: ">=1.0.0" } }), {
      "reconcile.fluxcd.io/requestedAt": "now",
    });
    await controller.reconcile("two");
    expect(lists()).toBe(2);
  });
});

describe("the deletion of an object that has a finalizer", () => {
  const held = async (more: object = {}): Promise<void> => {
    await controller.apply("app", spec("flux/app", more));
    const patch = { metadata: { finalizers: [FINALIZER] } };
    await controller.kube.patch(artifactRepositories, key, patch, { fieldManager: "test" }, never);
  };
  const oci = (): object => ({
    publish: { externalArtifact: {}, oci: { url: `oci://${registry.host}/published/app`, insecure: true } },
  });

  it("leaves no file, no ExternalArtifact and no finalizer", async () => {
    await controller.apply("app", spec("flux/app", oci()));
    await controller.reconcile("app");
    const path = (await controller.get("app"))!.status!.artifact!.url;
    await controller.kube.delete(artifactRepositories, key, {}, never);
    expect((await controller.get("app"))?.metadata.deletionTimestamp).toBeDefined();
    expect(await controller.reconcile("app")).toEqual({ kind: "forget" });
    expect(await controller.get("app")).toBeUndefined();
    expect(await controller.externalArtifact("app")).toBeUndefined();
    expect((await fetch(path, { method: "HEAD" })).status).toBe(404);
  });

  it("happens also where the spec makes no sense any more", async () => {
    await controller.apply("app", spec("flux/app", oci()));
    await controller.reconcile("app");
    await held({ interval: "soon", ...oci() });
    await controller.kube.delete(artifactRepositories, key, {}, never);
    await controller.reconcile("app");
    expect(await controller.get("app")).toBeUndefined();
  });

  it("happens also where an earlier version has set it for nothing", async () => {
    await held();
    await controller.kube.delete(artifactRepositories, key, {}, never);
    expect((await controller.get("app"))?.metadata.deletionTimestamp).toBeDefined();
    await controller.reconcile("app");
    expect(await controller.get("app")).toBeUndefined();
  });
});

describe("publishing", () => {
  it("pushes to a registry with aliases, and moves nothing twice", async () => {
    await controller.apply(
      "app",
      spec("flux/app", {
        publish: {
          externalArtifact: {},
          oci: { url: `oci://${registry.host}/published/app`, insecure: true, tags: ["{tag}", "stable"] },
        },
      }),
    );
    await controller.reconcile("app");
    const { status } = (await controller.get("app"))!;
    expect(status?.published).toMatchObject([
      { kind: "ExternalArtifact" },
      { kind: "OCIArtifact", tags: ["1.0.0", "stable"] },
    ]);
    const again = await requestsFor(() => controller.reconcile("app"));
    expect(again.filter((request) => !request.startsWith("HEAD"))).toEqual([]);
  });

  it("brings a lost file back from the push target, also while upstream is down", async () => {
    const target = { url: `oci://${registry.host}/published/app`, insecure: true };
    await controller.apply("app", spec("flux/app", { publish: { externalArtifact: {}, oci: target } }));
    await controller.reconcile("app");
    const { artifact } = (await controller.get("app"))!.status!;
    await rm(join(controller.root, "artifactrepository"), { recursive: true });
    controller.restart();
    registry.faults.add({ path: /\/flux\/app\//, times: 100, status: 404 });
    await controller.reconcile("app");
    expect((await fetch(artifact!.url, { method: "HEAD" })).status).toBe(200);
    expect(conditionOf(await controller.get("app"), "ArtifactInStorage")?.status).toBe("True");
  });

  it("keeps as many pushed manifests as it is told, and none of a deleted object", async () => {
    const target = { url: `oci://${registry.host}/published/app`, insecure: true, tags: ["stable"], retain: 1 };
    const digestAt = async (): Promise<string> => (await controller.get("app"))!.status!.published![0]!.digest!;
    const exists = async (digest: string): Promise<number> =>
      (await fetch(`${registry.url}/v2/published/app/manifests/${digest}`, { method: "HEAD" })).status;
    await controller.apply("app", spec("flux/app", { publish: { oci: target } }));
    await controller.reconcile("app");
    const first = await digestAt();
    await controller.apply("app", spec("flux/app", { ignore: "/docs", publish: { oci: target } }));
    await controller.reconcile("app");
    const second = await digestAt();
    expect([await exists(first), await exists(second)]).toEqual([404, 200]);
    await controller.kube.delete(artifactRepositories, key, {}, never);
    await controller.reconcile("app");
    expect(await exists(second)).toBe(404);
  });

  it("keeps a chart a chart, also for who asks for it only later", async () => {
    await controller.apply("app", spec("helm/chart", { ref: { tag: "0.1.0" } }));
    await controller.reconcile("app");
    const stored = await controller.deps.store.image({ kind: "ArtifactRepository", ...key });
    expect(stored?.image.layer.mediaType).toBe("application/vnd.cncf.helm.chart.content.v1.tar+gzip");
    expect(stored?.image.config.mediaType).toBe("application/vnd.cncf.helm.config.v1+json");
    expect(JSON.parse(stored?.image.configBytes.toString() ?? "")).toMatchObject({ name: "chart", version: "0.1.0" });
  });

  it.each([
    ["a chart of an early helm", "application/vnd.cncf.helm.config.v1+json", "application/tar+gzip"],
    [
      "anything else that is copied",
      "application/vnd.example.config.v1+json",
      "application/vnd.cncf.flux.content.v1.tar+gzip",
    ],
  ])("gives %s its types", async (_, mediaType, expected) => {
    const chart = registry.store.putArtifact("early/chart", {
      tag: "1.0.0",
      config: { mediaType, bytes: Buffer.from('{"name":"chart","version":"1.0.0"}') },
      layers: [
        {
          mediaType: "application/tar+gzip",
          bytes: gzipSync(tarOf({ name: "chart/Chart.yaml", content: "name: chart\n" })),
        },
      ],
    });
    expect(chart.digest).toMatch(/^sha256:/);
    await controller.apply("app", spec("early/chart", { layerSelector: { operation: "Copy" } }));
    await controller.reconcile("app");
    const stored = await controller.deps.store.image({ kind: "ArtifactRepository", ...key });
    expect(stored?.image.layer.mediaType).toBe(expected);
  });

  it("makes an OCIRepository that reads the embedded endpoint", async () => {
    const serving = await startTestReconciler({ ociEndpoint: true });
    try {
      await serving.apply("app", spec("flux/app", { publish: { ociRepository: {} } }));
      await serving.reconcile("app");
      const managed = await serving.kube.get<OciRepository>(ociRepositories, key, never);
      const { url, ref, insecure } = managed!.spec;
      expect(insecure).toBe(true);
      const address = url.replace("oci://", "http://").replace("/default/app", "");
      const manifest = await fetch(`${address}/v2/default/app/manifests/${ref!.digest}`, {
        headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
      });
      expect(manifest.status).toBe(200);
      const { layers } = (await manifest.json()) as { layers: { digest: string }[] };
      expect(layers.map(({ digest }) => digest)).toEqual([(await serving.get("app"))?.status?.artifact?.digest]);
    } finally {
      await serving.close();
    }
  });

  it("takes back what is published no more", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.apply(
      "app",
      spec("flux/app", { publish: { oci: { url: `oci://${registry.host}/published/app`, insecure: true } } }),
    );
    await controller.reconcile("app");
    expect(await controller.externalArtifact("app")).toBeUndefined();
  });

  it("follows an ImagePolicy, and waits for one that has chosen nothing", async () => {
    const policy = {
      apiVersion: "image.toolkit.fluxcd.io/v1",
      kind: "ImagePolicy",
      metadata: { namespace: "default", name: "p" },
    };
    await controller.kube.create(imagePolicies, policy, never);
    await controller.apply("app", spec("flux/app", { ref: { imagePolicyRef: { name: "p" } } }));
    expect(await controller.reconcile("app")).toEqual({ kind: "after", milliseconds: 5000 });
    await controller.kube.patch(
      imagePolicies,
      { namespace: "default", name: "p" },
      { status: { latestRef: { name: `${registry.host}/flux/app`, tag: "1.0.0" } } },
      { fieldManager: "test", subresource: "status" },
      never,
    );
    await controller.reconcile("app");
    expect((await controller.get("app"))?.status?.upstream?.tag).toBe("1.0.0");
  });
});
