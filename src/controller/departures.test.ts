import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { artifactRepositories, externalArtifacts } from "../../api/kinds.ts";
import { FINALIZER } from "../../api/v1beta1/constants.ts";
import { CodedError } from "../errors.ts";
import { type KubeRequest } from "../kube/local/memory.ts";
import { closeTestWorld, openTestStorage, openTestWorld, type TestWorld } from "../testing/kube/loop.ts";
import { specOf } from "../testing/kube/spec.ts";

const never = new AbortController().signal;
let world: TestWorld;
let registry: TestWorld["registry"];
let storage: TestWorld["storage"];
let kube: TestWorld["kube"];
let objects: TestWorld["objects"];
let controllers: TestWorld["controllers"];
/** What the API does before it answers; what it throws is the answer. */
let onRequest: (request: KubeRequest) => Promise<void> | void;

beforeEach(async () => {
  onRequest = () => undefined;
  world = await openTestWorld({ onRequest: (request) => onRequest(request) });
  ({ registry, storage, kube, objects, controllers } = world);
});
afterEach(async () => await closeTestWorld(world));

const spec = (more: object = {}): object => specOf(registry, "flux/app", more);
const isReady = (name: string): boolean =>
  objects.get(name)?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
const ready = async (...names: string[]): Promise<void> =>
  await vi.waitFor(() => expect(names.filter((name) => !isReady(name))).toEqual([]), { timeout: 10_000, interval: 10 });
const left = async (): Promise<object> => ({
  files: await storage.stored(),
  published: await objects.externalArtifacts(),
});
const eventually = async (check: () => Promise<void>): Promise<void> =>
  await vi.waitFor(check, { timeout: 10_000, interval: 10 });
const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `app-${at}`);

describe("a deletion", () => {
  it("leaves nothing behind, at whatever moment of the first reconcile it comes", async () => {
    await controllers.start();
    const names = numbered(60);
    await Promise.all(
      names.map(async (name, at) => {
        await objects.create(name, spec({ ignore: `/docs-${at % 3}` }));
        await new Promise((done) => setTimeout(done, (at * 7) % 90));
        await objects.remove(name);
      }),
    );
    await eventually(async () => {
      expect(names.filter((name) => objects.get(name) !== undefined)).toEqual([]);
      expect(await left()).toEqual({ files: [], published: [] });
    });
  });

  it.each(["create ExternalArtifact", "apply ExternalArtifact", "patch ArtifactRepository"])(
    "leaves nothing behind where it comes just before %s",
    async (step) => {
      let isPending = true;
      onRequest = async ({ verb, type }) => {
        if (!isPending || `${verb} ${type.kind}` !== step) return;
        isPending = false;
        await objects.remove("app");
      };
      await controllers.start();
      await objects.create("app", spec());
      await eventually(async () => {
        expect([isPending, objects.get("app")]).toEqual([false, undefined]);
        expect(await left()).toEqual({ files: [], published: [] });
      });
    },
  );

  it("spares what an object of the same name has by now", async () => {
    await controllers.start();
    for (let round = 0; round < 5; round++) {
      await objects.create("app", spec());
      await ready("app");
      const before = objects.get("app")!;
      await objects.remove("app");
      await objects.create("app", spec());
      await ready("app");
      await eventually(async () => {
        const object = objects.get("app")!;
        const published = objects.externalArtifact("app");
        expect(published?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([object.metadata.uid]);
        expect(object.metadata.uid).not.toBe(before.metadata.uid);
        expect((await fetch(published!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
      });
      await objects.remove("app");
      await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
    }
  });

  it("gives nothing of a status to an object that was made under the same name meanwhile", async () => {
    let isPending = true;
    onRequest = async ({ verb, type }) => {
      if (!isPending || verb !== "patch" || type !== artifactRepositories) return;
      isPending = false;
      await objects.remove("app");
      await objects.create("app", { ...spec(), suspend: true });
    };
    await controllers.start();
    await objects.create("app", spec());
    await eventually(async () => {
      expect(isPending).toBe(false);
      expect(await left()).toEqual({ files: [], published: [] });
    });
    // All that a suspended object of its own is given.
    await expect.poll(() => objects.get("app")?.status).toEqual({ observedGeneration: 1, conditions: [] });
  });

  it("while no controller runs is noticed at the next start", async () => {
    const first = await controllers.start();
    await Promise.all(["gone", "stays", "stays-too"].map(async (name) => await objects.create(name, spec())));
    await ready("gone", "stays", "stays-too");
    await controllers.stop(first);
    await objects.remove("gone");
    await controllers.start();
    await eventually(async () => expect((await storage.stored()).sort()).toEqual(["stays", "stays-too"]));
    await ready("stays", "stays-too");
  });
});

describe("an ExternalArtifact whose owner went while no controller ran", () => {
  it("goes, also where it says nothing yet", async () => {
    const owner = await objects.create("app", spec());
    await objects.remove("app");
    await kube.create(
      externalArtifacts,
      {
        apiVersion: "source.toolkit.fluxcd.io/v1",
        kind: "ExternalArtifact",
        metadata: {
          name: "app",
          namespace: "default",
          ownerReferences: [
            { apiVersion: owner.apiVersion, kind: owner.kind, name: "app", uid: owner.metadata.uid!, controller: true },
          ],
        },
      },
      never,
    );
    await controllers.start();
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });
});

describe("a cache without the objects", () => {
  const names = numbered(4);
  const stored = async (): Promise<string[]> => (await storage.stored()).sort();
  /** Everything is stored, and nobody runs. Returns the address that consumers know. */
  async function prepare(labels: Record<string, string> = {}): Promise<string> {
    const first = await controllers.start();
    for (const name of names) await objects.create(name, spec(), labels);
    await ready(...names);
    await controllers.stop(first);
    return new URL(objects.externalArtifact(names[0]!)!.status!.artifact!.url).host;
  }
  const isList = ({ verb, type }: KubeRequest): boolean => verb === "list" && type === artifactRepositories;

  it.each<[string, () => CodedError]>([
    ["a 404", () => new CodedError("CrdMissing", "404")],
    ["a refusal", () => new CodedError("AccessDenied", "403")],
    ["an outage", () => new CodedError("KubeUnreachable", "503")],
  ])("because of %s for the first list is no reason to remove anything", async (_, failure) => {
    await prepare();
    let isFailing = true;
    onRequest = (request) => {
      if (isFailing && isList(request)) throw failure();
    };
    const starting = controllers.start();
    await new Promise((done) => setTimeout(done, 300));
    expect(await stored()).toEqual(names);
    isFailing = false;
    // A kind that is missing is looked for only now and then.
    if (failure().code !== "CrdMissing") await ready(...names);
    await starting;
    await new Promise((done) => setTimeout(done, 100));
    expect(await stored()).toEqual(names);
  });

  it("because of a selector that selects nothing is no reason to remove what consumers are sent to", async () => {
    await controllers.start({ address: await prepare({ shard: "one" }), labelSelector: "shard=oen" });
    await new Promise((done) => setTimeout(done, 400));
    expect(await stored()).toEqual(names);
  });

  it("because of an empty answer is no reason either: each object is asked for", async () => {
    await prepare();
    vi.spyOn(kube, "list").mockResolvedValue({ items: [], resourceVersion: "1000000" });
    await controllers.start();
    await new Promise((done) => setTimeout(done, 400));
    expect(await stored()).toEqual(names);
  });

  it("because they were all deleted is one, after a second look", async () => {
    const address = await prepare();
    for (const name of names) await objects.remove(name);
    await controllers.start({ address, settings: { orphanPauseMs: 300 } });
    await new Promise((done) => setTimeout(done, 100));
    expect(await stored()).toEqual(names);
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });

  it("because it watches another namespace is no reason", async () => {
    await prepare();
    await controllers.start({ namespace: "elsewhere" });
    await new Promise((done) => setTimeout(done, 300));
    expect(await stored()).toEqual(names);
  });
});

describe("an object that moves to another shard", () => {
  const move = async (shard: string): Promise<unknown> =>
    await kube.patch(
      artifactRepositories,
      { name: "app", namespace: "default" },
      { metadata: { labels: { shard } } },
      { fieldManager: "user" },
      never,
    );

  it("is served here until the other one serves it, and no longer", async () => {
    await controllers.start({ labelSelector: "shard=one" });
    await objects.create("app", spec(), { shard: "one" });
    await ready("app");
    const here = objects.externalArtifact("app")!.status!.artifact!.url;
    await move("two");
    await new Promise((done) => setTimeout(done, 200));
    expect((await fetch(here, { method: "HEAD" })).status).toBe(200);
    const other = await openTestStorage();
    try {
      const second = await controllers.start({ root: other.root, labelSelector: "shard=two" });
      await eventually(async () => expect((await fetch(here, { method: "HEAD" })).status).toBe(404));
      const there = objects.externalArtifact("app")!.status!.artifact!.url;
      expect([there === here, (await fetch(there, { method: "HEAD" })).status]).toEqual([false, 200]);
      await controllers.stop(second);
    } finally {
      await other.remove();
    }
  });

  it("leaves nothing here where it is deleted before anybody else has taken it", async () => {
    await controllers.start({ labelSelector: "shard=one" });
    await objects.create("app", spec(), { shard: "one" });
    await ready("app");
    await move("nobody");
    await new Promise((done) => setTimeout(done, 100));
    await objects.remove("app");
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });

  it("and comes back keeps its file", async () => {
    await controllers.start({ labelSelector: "shard=one" });
    await objects.create("app", spec(), { shard: "one" });
    await ready("app");
    await move("two");
    await move("one");
    await new Promise((done) => setTimeout(done, 200));
    const { url } = objects.externalArtifact("app")!.status!.artifact!;
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  });
});

describe("a file that is gone under a running controller", () => {
  it.each(["the artifact", "the latest"])("is made again once somebody has asked for %s in vain", async (asked) => {
    const one = await controllers.start();
    await objects.create("app", spec());
    await ready("app");
    const { path, url } = objects.externalArtifact("app")!.status!.artifact!;
    await rm(join(storage.root, path));
    const owner = { namespace: "default", name: "app" };
    one.caches.missed(owner, "artifactrepository/default/app/other.tar.gz");
    one.caches.missed(owner, asked === "the artifact" ? path : path.replace(/[^/]+$/, "latest.tar.gz"));
    await eventually(async () => expect((await fetch(url, { method: "HEAD" })).status).toBe(200));
    await ready("app");
  });
});

describe("the finalizer", () => {
  const oci = (): object => ({ publish: { oci: { url: `oci://${registry.host}/published/app`, insecure: true } } });
  const patch = async (change: object): Promise<unknown> =>
    await kube.patch(
      artifactRepositories,
      { name: "app", namespace: "default" },
      change,
      { fieldManager: "user" },
      never,
    );
  const finalizers = (): readonly string[] => objects.get("app")?.metadata.finalizers ?? [];

  it("is there only while something is pushed out of the cluster", async () => {
    await controllers.start();
    await objects.create("app", spec());
    await ready("app");
    expect(finalizers()).toEqual([]);
    await patch({ spec: oci() });
    await vi.waitFor(() => expect(finalizers()).toEqual([FINALIZER]));
    await patch({ spec: { publish: null } });
    await vi.waitFor(() => expect(finalizers()).toEqual([]));
  });

  it.each<[string, object]>([
    ["is right", {}],
    ["is suspended", { suspend: true }],
    ["makes no sense", { interval: "soon" }],
  ])("of an earlier version goes where the spec %s, and others stay", async (_, more) => {
    await objects.create("app", spec(more));
    await patch({ metadata: { finalizers: ["example.dev/hold", FINALIZER] } });
    await controllers.start();
    await vi.waitFor(() => expect(finalizers()).toEqual(["example.dev/hold"]));
  });

  it("takes what was pushed along", async () => {
    await controllers.start();
    await objects.create("app", spec(oci()));
    await ready("app");
    const { digest } = objects.get("app")!.status!.published!.find(({ kind }) => kind === "OCIArtifact")!;
    const pushed = async (): Promise<number> =>
      (await fetch(`${registry.url}/v2/published/app/manifests/${digest}`, { method: "HEAD" })).status;
    expect(await pushed()).toBe(200);
    await objects.remove("app");
    await eventually(async () =>
      expect([await pushed(), objects.get("app"), await left()]).toEqual([
        404,
        undefined,
        { files: [], published: [] },
      ]),
    );
  });
});
