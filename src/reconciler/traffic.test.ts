import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReconcileMemory } from "../controller/memory.ts";
import { reconcile } from "../controller/reconcile.ts";
import type { Descriptor } from "../oci/types.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import type { AuthOptions } from "../testing/registry/auth.ts";
import { testClient } from "../testing/registry/client.ts";
import {
  startRegistry,
  type RegistryOptions,
  type RequestRecord,
  type TestRegistry,
} from "../testing/registry/registry.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { localSources } from "../pipeline/sources.ts";

/**
 * What a reconcile costs a registry, to the request and to the byte: the figures that the performance page promises. Each
 * is exact, so that more traffic shows here before it shows in somebody's rate limit.
 */

const tarGzip = "application/vnd.cncf.flux.content.v1.tar+gzip";
/** Several pieces of everything that it passes. */
const bodyBytes = 800_000;

let registry: TestRegistry;
let controller: TestReconciler;

async function start(options: RegistryOptions = {}): Promise<void> {
  registry = await startRegistry(options);
  controller = await startTestReconciler();
}
beforeEach(() => start());
afterEach(async () => {
  await controller.close();
  await registry.close();
});

/** An artifact with one file in each layer and a config that says something. */
function put(
  repository: string,
  { tag, layers = ["a"], artifactType }: { tag?: string; layers?: readonly string[]; artifactType?: string } = {},
): { root: Descriptor; layers: readonly Descriptor[]; config: Descriptor } {
  const root = registry.store.putArtifact(repository, {
    ...(tag !== undefined && { tag }),
    ...(artifactType !== undefined && { artifactType }),
    config: {
      mediaType: "application/vnd.cncf.flux.config.v1+json",
      bytes: Buffer.from(JSON.stringify({ of: repository, tag, layers })),
    },
    layers: layers.map((name) => ({
      mediaType: tarGzip,
      bytes: gzipSync(
        tarOf(
          { name: `${name}.bin`, content: randomBytes(bodyBytes) },
          { name: "docs", type: "5", mode: 0o755 },
          { name: `docs/${name}`, content: name },
        ),
        { level: 1 },
      ),
    })),
  });
  const manifest = JSON.parse(registry.store.manifest(repository, root.digest)!.stored.bytes.toString("utf8")) as {
    layers: Descriptor[];
    config: Descriptor;
  };
  return { root, layers: manifest.layers, config: manifest.config };
}

const spec = (repository: string, more: object = {}): object => specOf(registry, repository, more);
const extractAll = { layerSelector: { operation: "ExtractAll" } };

/** The requests of one reconcile, which must succeed. */
async function reconciled(name: string, object?: object): Promise<RequestRecord[]> {
  if (object !== undefined) await controller.apply(name, object);
  registry.requests.length = 0;
  await controller.reconcile(name);
  expect(conditionOf(await controller.get(name), "Ready")).toMatchObject({ status: "True" });
  return [...registry.requests];
}

/** The requests of one reconcile by a process that has read nothing yet, as after a restart. */
async function requestsAnew(name: string, memory = new ReconcileMemory()): Promise<string[]> {
  const client = testClient();
  const sources = localSources({ registry: client, kube: controller.kube });
  registry.requests.length = 0;
  try {
    await reconcile((await controller.get(name))!, {
      memory,
      deps: { ...controller.deps, sources },
      askedAt: performance.now(),
      transfer: async (_, work) => await work(),
      signal: new AbortController().signal,
    });
  } finally {
    await client.close();
  }
  return lines(registry.requests);
}

const lines = (requests: readonly RequestRecord[]): string[] =>
  requests.map(({ method, path }) => `${method} ${path.replace("/v2/", "").replace(/\?.*/, "")}`);
/** Where requests run side by side their order says nothing. */
const sorted = (list: readonly string[]): string[] => list.toSorted();
const sentBytes = (requests: readonly RequestRecord[]): number => requests.reduce((sum, { sent }) => sum + sent, 0);

describe("requests of a first reconcile", () => {
  it("are two: the manifest by its tag, and its layer", async () => {
    const { layers } = put("app", { tag: "1.0.0" });
    expect(lines(await reconciled("app", spec("app")))).toEqual([
      "GET app/manifests/1.0.0",
      `GET app/blobs/${layers[0]!.digest}`,
    ]);
  });

  it("are two also where the spec names a digest", async () => {
    const { root, layers } = put("app");
    expect(lines(await reconciled("app", spec("app", { ref: { digest: root.digest } })))).toEqual([
      `GET app/manifests/${root.digest}`,
      `GET app/blobs/${layers[0]!.digest}`,
    ]);
  });

  it("are three for two layers", async () => {
    const { layers } = put("app", { tag: "1.0.0", layers: ["a", "b"] });
    const requests = lines(await reconciled("app", spec("app", extractAll)));
    expect(requests[0]).toBe("GET app/manifests/1.0.0");
    expect(sorted(requests.slice(1))).toEqual(sorted(layers.map(({ digest }) => `GET app/blobs/${digest}`)));
  });

  it("are one for each manifest that a nested index leads to, whatever names it twice", async () => {
    const wanted = put("app", { artifactType: "application/vnd.test.wanted" });
    const other = put("app", { artifactType: "application/vnd.test.other", layers: ["b"] });
    const inner = registry.store.putIndex("app", [other.root, wanted.root]);
    const twin = registry.store.putIndex("app", [wanted.root], { artifactType: "application/vnd.test.twin" });
    registry.store.putIndex("app", [inner, twin, other.root], { tag: "1.0.0" });
    const requests = lines(
      await reconciled("app", spec("app", { indexSelector: { artifactType: "application/vnd.test.wanted" } })),
    );
    const walked = [inner, twin, wanted.root, other.root].map(({ digest }) => `GET app/manifests/${digest}`);
    expect(sorted(requests)).toEqual(
      sorted(["GET app/manifests/1.0.0", ...walked, `GET app/blobs/${wanted.layers[0]!.digest}`]),
    );
  });

  it("are two for all objects that ask for the same at once", async () => {
    const { layers } = put("app", { tag: "1.0.0" });
    const names = Array.from({ length: 20 }, (_, at) => `app-${at}`);
    for (const name of names) await controller.apply(name, spec("app"));
    const askedAt = performance.now();
    await Promise.all(names.map(async (name) => await controller.reconcile(name, askedAt)));
    expect(lines(registry.requests)).toEqual(["GET app/manifests/1.0.0", `GET app/blobs/${layers[0]!.digest}`]);
    for (const name of names) expect((await controller.get(name))?.status?.artifact?.digest).toBe(layers[0]!.digest);
  });
});

describe("requests of a reconcile without news", () => {
  it.each<[string, object]>([
    ["one layer", {}],
    ["two layers", extractAll],
    ["a rewritten artifact", { ignore: "/docs" }],
  ])("are one HEAD: %s", async (_, more) => {
    put("app", { tag: "1.0.0", layers: "layerSelector" in more ? ["a", "b"] : ["a"] });
    await reconciled("app", spec("app", more));
    const again = await reconciled("app");
    expect([lines(again), sentBytes(again)]).toEqual([["HEAD app/manifests/1.0.0"], 0]);
  });

  it("are one HEAD for a whole index", async () => {
    const parts = ["a", "b", "c"].map(
      (name) => put("app", { artifactType: `application/vnd.test.${name}`, layers: [name] }).root,
    );
    registry.store.putIndex("app", parts, { tag: "1.0.0" });
    await reconciled("app", spec("app", { indexSelector: { artifactType: "application/vnd.test.b" } }));
    expect(lines(await reconciled("app"))).toEqual(["HEAD app/manifests/1.0.0"]);
  });
});

describe("requests where something is to be built again", () => {
  const blob = ({ layers }: ReturnType<typeof put>): string => `GET app/blobs/${layers[0]!.digest}`;

  it("are three where the tag has moved: a HEAD, the new manifest by its digest, its layer", async () => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    const second = put("app", { tag: "1.0.0" });
    expect(lines(await reconciled("app"))).toEqual([
      "HEAD app/manifests/1.0.0",
      `GET app/manifests/${second.root.digest}`,
      blob(second),
    ]);
    const third = put("app", { tag: "1.0.0" });
    expect(await requestsAnew("app")).toEqual([
      "HEAD app/manifests/1.0.0",
      `GET app/manifests/${third.root.digest}`,
      blob(third),
    ]);
  });

  it("are two where the tag has moved to the same layer: a HEAD, the new manifest by its digest; a third after a restart", async () => {
    const { layers, root } = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    const again = (build: string): string => {
      const manifest = JSON.parse(registry.store.manifest("app", root.digest)!.stored.bytes.toString()) as object;
      return registry.store.putManifest("app", { ...manifest, annotations: { build } }, { tag: "1.0.0" }).digest;
    };
    const second = again("2");
    expect(lines(await reconciled("app"))).toEqual(["HEAD app/manifests/1.0.0", `GET app/manifests/${second}`]);
    const third = again("3");
    expect(await requestsAnew("app")).toEqual([
      "HEAD app/manifests/1.0.0",
      `GET app/manifests/${third}`,
      `HEAD app/blobs/${layers[0]!.digest}`,
    ]);
  });

  it("is one where the spec names another tag of the same layer: the manifest by that tag", async () => {
    const { root } = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    const manifest = JSON.parse(registry.store.manifest("app", root.digest)!.stored.bytes.toString()) as object;
    registry.store.putManifest("app", { ...manifest, annotations: { build: "2" } }, { tag: "2.0.0" });
    const edited = spec("app", { ref: { tag: "2.0.0" } });
    expect(lines(await reconciled("app", edited))).toEqual(["GET app/manifests/2.0.0"]);
    expect(lines(await reconciled("app"))).toEqual(["HEAD app/manifests/2.0.0"]);
  });

  it("are two where the spec asks for something else: the manifest by its tag, its layer", async () => {
    const first = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    await controller.apply("app", spec("app", { ignore: "/docs" }));
    expect(await requestsAnew("app")).toEqual(["GET app/manifests/1.0.0", blob(first)]);
    expect(await requestsAnew("app")).toEqual(["HEAD app/manifests/1.0.0"]);
  });

  it("are two where the stored file is lost: the manifest by its tag, its layer", async () => {
    const first = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    await rm(join(controller.root, (await controller.get("app"))!.status!.artifact!.path));
    expect(await requestsAnew("app")).toEqual(["GET app/manifests/1.0.0", blob(first)]);
    expect(await requestsAnew("app")).toEqual(["HEAD app/manifests/1.0.0"]);
  });

  it("are a HEAD and the layer where this process has read the manifest before", async () => {
    const first = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    expect(lines(await reconciled("app", spec("app", { ignore: "/docs" })))).toEqual([
      "HEAD app/manifests/1.0.0",
      blob(first),
    ]);
    await rm(join(controller.root, (await controller.get("app"))!.status!.artifact!.path));
    expect(lines(await reconciled("app"))).toEqual(["HEAD app/manifests/1.0.0", blob(first)]);
  });

  it("are one HEAD where building the same has failed for good", async () => {
    const parts = ["a", "b"].map((name) => put("app", { layers: [name] }).root);
    registry.store.putIndex("app", parts, { tag: "1.0.0" });
    await controller.apply("app", spec("app"));
    const memory = new ReconcileMemory();
    const [first, ...children] = await requestsAnew("app", memory);
    expect(first).toBe("GET app/manifests/1.0.0");
    expect(sorted(children)).toEqual(sorted(parts.map(({ digest }) => `GET app/manifests/${digest}`)));
    expect(conditionOf(await controller.get("app"), "Stalled")).toMatchObject({
      status: "True",
      reason: "AmbiguousManifest",
    });
    expect(await requestsAnew("app", memory)).toEqual(["HEAD app/manifests/1.0.0"]);
  });
});

describe("a registry that wants tokens", () => {
  const auth: AuthOptions = { kind: "token", accounts: {}, anonymous: (_, action) => action === "pull" };
  beforeEach(async () => {
    await controller.close();
    await registry.close();
    await start({ auth });
  });

  it("is asked how once, and for a token once per repository", async () => {
    const first = put("app", { tag: "1.0.0" });
    const second = put("other", { tag: "1.0.0" });
    const work = ({ layers }: typeof first, name: string): string[] => [
      `GET ${name}/manifests/1.0.0`,
      `GET ${name}/blobs/${layers[0]!.digest}`,
    ];
    expect(lines(await reconciled("app", spec("app")))).toEqual([
      "GET app/manifests/1.0.0",
      "GET /token",
      ...work(first, "app"),
    ]);
    expect(lines(await reconciled("app"))).toEqual(["HEAD app/manifests/1.0.0"]);
    expect(lines(await reconciled("neighbour", spec("app", { ignore: "/docs" })))).toEqual([
      "HEAD app/manifests/1.0.0",
      `GET app/blobs/${first.layers[0]!.digest}`,
    ]);
    expect(lines(await reconciled("other", spec("other")))).toEqual(["GET /token", ...work(second, "other")]);
  });
});

describe("a registry that fails", () => {
  /** Of the test client; the real one has one more. */
  const attempts = 4;

  /** The requests in their order, of which the one at `failing` is made until the client gives up. */
  const expectAttempts = async (order: readonly string[], failing: number): Promise<void> => {
    registry.requests.length = 0;
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
    const answers = registry.requests.map(({ status }, at) => `${lines(registry.requests)[at]} ${status}`);
    expect(answers).toEqual([
      ...order.slice(0, failing).map((line) => `${line} 200`),
      ...Array.from({ length: attempts }, () => `${order[failing]} 503`),
    ]);
  };

  it.each<[string, RegExp, number]>([
    ["the tag", /manifests\/1/, 0],
    ["the manifest in its index", /manifests\/sha256/, 1],
    ["the layer", /blobs/, 2],
  ])("is asked for %s as often as the client tries, and no layer above tries again", async (_, path, failing) => {
    const { root, layers } = put("app");
    registry.store.putIndex("app", [root], { tag: "1.0.0" });
    registry.faults.add({ path, status: 503, times: 1000 });
    await controller.apply("app", spec("app"));
    await expectAttempts(
      ["GET app/manifests/1.0.0", `GET app/manifests/${root.digest}`, `GET app/blobs/${layers[0]!.digest}`],
      failing,
    );
  });

  it("is asked for the tag of something newer by one HEAD, and then by GET as often as the client tries", async () => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    registry.faults.add({ path: /manifests\/1/, status: 503, times: 1000 });
    registry.requests.length = 0;
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
    const get = Array.from({ length: attempts }, () => "GET app/manifests/1.0.0");
    expect(lines(registry.requests)).toEqual(["HEAD app/manifests/1.0.0", ...get]);
  });

  it.each<[string, RegExp, number]>([
    ["the manifest", /manifests\/sha256/, 1],
    ["the layer", /blobs/, 2],
  ])("is asked for %s of something newer as often as the client tries, too", async (_, path, failing) => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    const { root, layers } = put("app", { tag: "1.0.0" });
    registry.faults.add({ path, status: 503, times: 1000 });
    await expectAttempts(
      ["HEAD app/manifests/1.0.0", `GET app/manifests/${root.digest}`, `GET app/blobs/${layers[0]!.digest}`],
      failing,
    );
  });
});

describe("bytes of a first reconcile", () => {
  it.each<[string, object, boolean]>([
    ["kept as it is", {}, true],
    ["rewritten after it was judged", { ignore: "/docs" }, false],
    ["rewritten while it comes in", extractAll, false],
    ["copied", { layerSelector: { operation: "Copy" } }, true],
  ])("are the manifest and the selected layer, each once: a layer that is %s", async (_, more, verbatim) => {
    const { root, layers } = put("app", { tag: "1.0.0" });
    const requests = await reconciled("app", spec("app", more));
    expect(requests.map(({ sent }) => sent)).toEqual([root.size, layers[0]!.size]);
    expect((await controller.get("app"))?.status?.artifact?.digest === layers[0]!.digest).toBe(verbatim);
  });

  it("are none of the layers that were not selected, nor of the config", async () => {
    const { root, layers, config } = put("app", { tag: "1.0.0", layers: ["a", "b", "c"] });
    const requests = await reconciled("app", spec("app", { layerSelector: { operation: "Extract", offset: 1 } }));
    expect(lines(requests).filter((line) => line.includes("blobs"))).toEqual([`GET app/blobs/${layers[1]!.digest}`]);
    expect(sentBytes(requests)).toBe(root.size + layers[1]!.size);
    expect(lines(requests).join()).not.toContain(config.digest);
  });

  it("are only the rest after a cut in the middle of the layer", async () => {
    const { layers } = put("app", { tag: "1.0.0" });
    registry.faults.add({ path: /blobs/, cutAfterBytes: 500_000 });
    const [, first, second, ...more] = await reconciled("app", spec("app"));
    const [, from] = /^bytes=(\d+)-$/.exec(second?.headers.range ?? "") ?? [];
    expect([first?.sent, more]).toEqual([500_000, []]);
    expect(Number(from)).toBeGreaterThan(0);
    expect(second?.sent).toBe(layers[0]!.size - Number(from));
  });

  it("are none where a change of the spec leaves the content alone", async () => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    expect(sentBytes(await reconciled("app", spec("app", { interval: "1h" })))).toBe(0);
  });

  it("are the new layer alone when a tag moves", async () => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app"));
    const { root, layers } = put("app", { tag: "1.0.0" });
    expect(sentBytes(await reconciled("app"))).toBe(root.size + layers[0]!.size);
  });
});

describe("uploads", () => {
  const target = (more: object = {}): object => ({
    publish: { oci: { url: `oci://${registry.host}/published/app`, insecure: true, tags: ["stable"], ...more } },
  });
  /** Requests to the target, uploads without their random names. */
  const toTarget = (requests: readonly RequestRecord[]): RequestRecord[] =>
    requests.filter(({ path }) => path.startsWith("/v2/published/"));
  const shape = (requests: readonly RequestRecord[]): string[] =>
    lines(requests).map((line) =>
      line
        .replace("published/app/", "")
        .replace(/sha256:\w+/, "DIGEST")
        .replace(/uploads\/.*/, "uploads"),
    );
  /** Bodies of blobs that the registry has received, by size. */
  const blobsReceived = (requests: readonly RequestRecord[]): number[] =>
    requests.flatMap(({ method, path, received }) =>
      path.includes("/uploads/") && (method === "PUT" || method === "PATCH") ? [received] : [],
    );
  const blobs = (): Map<string, { readonly size: number }> => registry.store.repository("published/app").blobs;

  it("of a layer that the registry has are a mount, without its bytes", async () => {
    const { layers } = put("app", { tag: "1.0.0" });
    const requests = toTarget(await reconciled("app", spec("app", target())));
    expect(shape(requests)).toEqual([
      // A registry that does not know HEAD answers 404 too, so a missing tag is asked for twice: before anything is sent, and
      // again before it is set, which somebody else may have done meanwhile.
      "HEAD manifests/stable",
      "GET manifests/stable",
      "HEAD manifests/DIGEST",
      "HEAD blobs/DIGEST",
      "POST blobs/uploads",
      "HEAD blobs/DIGEST",
      "POST blobs/uploads",
      "PUT blobs/uploads",
      "PUT manifests/DIGEST",
      "HEAD manifests/stable",
      "GET manifests/stable",
      "PUT manifests/stable",
    ]);
    expect(blobs().has(layers[0]!.digest)).toBe(true);
    const [config] = [...blobs()].filter(([digest]) => digest !== layers[0]!.digest).map(([, { size }]) => size);
    expect(blobsReceived(requests)).toEqual([config]);
  });

  it("of a rewritten artifact are each blob once", async () => {
    put("app", { tag: "1.0.0" });
    const requests = toTarget(await reconciled("app", spec("app", { ignore: "/docs", ...target() })));
    expect(requests.filter(({ path }) => path.includes("mount="))).toEqual([]);
    expect(blobsReceived(requests)).toEqual([...blobs().values()].map(({ size }) => size));
    expect(blobsReceived(requests)).toHaveLength(2);
    const artifact = (await controller.get("app"))!.status!.artifact!;
    expect(blobsReceived(requests)).toContain(artifact.size);
  });

  it("of unchanged content are none: a HEAD for the source, one for the manifest, one for each tag", async () => {
    put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app", target()));
    const again = await reconciled("app");
    expect(lines(again)[0]).toBe("HEAD app/manifests/1.0.0");
    expect(shape(again.slice(1))).toEqual(["HEAD manifests/stable", "HEAD manifests/DIGEST"]);
    expect(again.map(({ received, sent }) => received + sent)).toEqual([0, 0, 0]);
  });

  it("of a version whose content is the same are its tag alone", async () => {
    const { layers } = put("app", { tag: "1.0.0" });
    await reconciled("app", spec("app", target({ tags: ["{tag}"] })));
    const manifest = JSON.parse(registry.store.manifest("app", "1.0.0")!.stored.bytes.toString("utf8")) as object;
    registry.store.putManifest(
      "app",
      { ...manifest, annotations: { "org.opencontainers.image.revision": "rebuilt" } },
      { tag: "1.0.1" },
    );
    const requests = await reconciled("app", spec("app", { ref: { tag: "1.0.1" }, ...target({ tags: ["{tag}"] }) }));
    expect(blobsReceived(requests)).toEqual([]);
    expect(toTarget(requests).flatMap(({ method, path }) => (method === "PUT" ? [path] : []))).toEqual([
      "/v2/published/app/manifests/1.0.1",
    ]);
    expect((await controller.get("app"))?.status?.artifact?.digest).toBe(layers[0]!.digest);
  });
});
