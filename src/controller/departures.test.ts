import { rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { artifactRepositories, externalArtifacts } from "../../api/kinds.ts";
import { FINALIZER } from "../../api/v1beta1/constants.ts";
import { CodedError } from "../errors.ts";
import { type KubeRequest } from "../kube/local/memory.ts";
import { openTestStorage, useTestWorld } from "../testing/kube/loop.ts";
import { specOf } from "../testing/kube/spec.ts";

const never = new AbortController().signal;
/** What the API does before it answers; what it throws is the answer. */
let onRequest: (request: KubeRequest) => Promise<void> | void;

beforeEach(() => {
  onRequest = () => undefined;
});
const world = useTestWorld({ onRequest: (request) => onRequest(request) });

const spec = (more: object = {}): object => specOf(world.registry, "flux/app", more);
const isReady = (name: string): boolean =>
  world.objects.get(name)?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ===
  true;
const ready = async (...names: string[]): Promise<void> =>
  await vi.waitFor(() => expect(names.filter((name) => !isReady(name))).toEqual([]), { timeout: 10_000, interval: 10 });
const left = async (): Promise<object> => ({
  files: await world.storage.stored(),
  published: await world.objects.externalArtifacts(),
});
const eventually = async (check: () => Promise<void>): Promise<void> =>
  await vi.waitFor(check, { timeout: 10_000, interval: 10 });
const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `app-${at}`);

describe("a deletion", () => {
  it("leaves nothing behind, at whatever moment of the first reconcile it comes", async () => {
    await world.controllers.start();
    const names = numbered(60);
    await Promise.all(
      names.map(async (name, at) => {
        await world.objects.create(name, spec({ ignore: `/docs-${at % 3}` }));
        await new Promise((done) => setTimeout(done, (at * 7) % 90));
        await world.objects.remove(name);
      }),
    );
    await eventually(async () => {
      expect(names.filter((name) => world.objects.get(name) !== undefined)).toEqual([]);
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
        await world.objects.remove("app");
      };
      await world.controllers.start();
      await world.objects.create("app", spec());
      await eventually(async () => {
        expect([isPending, world.objects.get("app")]).toEqual([false, undefined]);
        expect(await left()).toEqual({ files: [], published: [] });
      });
    },
  );

  it("spares what an object of the same name has by now", async () => {
    await world.controllers.start();
    for (let round = 0; round < 5; round++) {
      await world.objects.create("app", spec());
      await ready("app");
      const before = world.objects.get("app")!;
      await world.objects.remove("app");
      await world.objects.create("app", spec());
      await ready("app");
      await eventually(async () => {
        const object = world.objects.get("app")!;
        const published = world.objects.externalArtifact("app");
        expect(published?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([object.metadata.uid]);
        expect(object.metadata.uid).not.toBe(before.metadata.uid);
        expect((await fetch(published!.status!.artifact!.url, { method: "HEAD" })).status).toBe(200);
      });
      await world.objects.remove("app");
      await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
    }
  });

  it("gives nothing of a status to an object that was made under the same name meanwhile", async () => {
    let isPending = true;
    onRequest = async ({ verb, type }) => {
      if (!isPending || verb !== "patch" || type !== artifactRepositories) return;
      isPending = false;
      await world.objects.remove("app");
      await world.objects.create("app", { ...spec(), suspend: true });
    };
    await world.controllers.start();
    await world.objects.create("app", spec());
    await eventually(async () => {
      expect(isPending).toBe(false);
      expect(await left()).toEqual({ files: [], published: [] });
    });
    // All that a suspended object of its own is given.
    await expect.poll(() => world.objects.get("app")?.status).toEqual({ observedGeneration: 1, conditions: [] });
  });

  it("while no controller runs is noticed at the next start", async () => {
    const first = await world.controllers.start();
    await Promise.all(["gone", "stays", "stays-too"].map(async (name) => await world.objects.create(name, spec())));
    await ready("gone", "stays", "stays-too");
    await world.controllers.stop(first);
    await world.objects.remove("gone");
    await world.controllers.start();
    await eventually(async () => expect((await world.storage.stored()).sort()).toEqual(["stays", "stays-too"]));
    await ready("stays", "stays-too");
  });
});

describe("an ExternalArtifact whose owner went while no controller ran", () => {
  it("goes, also where it says nothing yet", async () => {
    const owner = await world.objects.create("app", spec());
    await world.objects.remove("app");
    await world.kube.create(
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
    await world.controllers.start();
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });
});

describe("a cache without the objects", () => {
  const names = numbered(4);
  const stored = async (): Promise<string[]> => (await world.storage.stored()).sort();
  /** Everything is stored, and nobody runs. Returns the address that consumers know. */
  async function prepare(labels: Record<string, string> = {}): Promise<string> {
    const first = await world.controllers.start();
    for (const name of names) await world.objects.create(name, spec(), labels);
    await ready(...names);
    await world.controllers.stop(first);
    return new URL(world.objects.externalArtifact(names[0]!)!.status!.artifact!.url).host;
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
    const starting = world.controllers.start();
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
    await world.controllers.start({ address: await prepare({ shard: "one" }), labelSelector: "shard=oen" });
    await new Promise((done) => setTimeout(done, 400));
    expect(await stored()).toEqual(names);
  });

  it("because of an empty answer is no reason either: each object is asked for", async () => {
    await prepare();
    vi.spyOn(world.kube, "list").mockResolvedValue({ items: [], resourceVersion: "1000000" });
    await world.controllers.start();
    await new Promise((done) => setTimeout(done, 400));
    expect(await stored()).toEqual(names);
  });

  it("because they were all deleted is one, after a second look", async () => {
    const address = await prepare();
    for (const name of names) await world.objects.remove(name);
    await world.controllers.start({ address, settings: { orphanPauseMs: 300 } });
    await new Promise((done) => setTimeout(done, 100));
    expect(await stored()).toEqual(names);
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });

  it("because it watches another namespace is no reason", async () => {
    await prepare();
    await world.controllers.start({ namespace: "elsewhere" });
    await new Promise((done) => setTimeout(done, 300));
    expect(await stored()).toEqual(names);
  });
});

describe("an object that moves to another shard", () => {
  const move = async (shard: string): Promise<unknown> =>
    await world.kube.patch(
      artifactRepositories,
      { name: "app", namespace: "default" },
      { metadata: { labels: { shard } } },
      { fieldManager: "user" },
      never,
    );

  it("is served here until the other one serves it, and no longer", async () => {
    await world.controllers.start({ labelSelector: "shard=one" });
    await world.objects.create("app", spec(), { shard: "one" });
    await ready("app");
    const here = world.objects.externalArtifact("app")!.status!.artifact!.url;
    await move("two");
    await new Promise((done) => setTimeout(done, 200));
    expect((await fetch(here, { method: "HEAD" })).status).toBe(200);
    const other = await openTestStorage();
    try {
      const second = await world.controllers.start({ root: other.root, labelSelector: "shard=two" });
      await eventually(async () => expect((await fetch(here, { method: "HEAD" })).status).toBe(404));
      const there = world.objects.externalArtifact("app")!.status!.artifact!.url;
      expect([there === here, (await fetch(there, { method: "HEAD" })).status]).toEqual([false, 200]);
      await world.controllers.stop(second);
    } finally {
      await other.remove();
    }
  });

  it("leaves nothing here where it is deleted before anybody else has taken it", async () => {
    await world.controllers.start({ labelSelector: "shard=one" });
    await world.objects.create("app", spec(), { shard: "one" });
    await ready("app");
    await move("nobody");
    await new Promise((done) => setTimeout(done, 100));
    await world.objects.remove("app");
    await eventually(async () => expect(await left()).toEqual({ files: [], published: [] }));
  });

  it("and comes back keeps its file", async () => {
    await world.controllers.start({ labelSelector: "shard=one" });
    await world.objects.create("app", spec(), { shard: "one" });
    await ready("app");
    await move("two");
    await move("one");
    await new Promise((done) => setTimeout(done, 200));
    const { url } = world.objects.externalArtifact("app")!.status!.artifact!;
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  });
});

describe("a file that is gone under a running controller", () => {
  it.each(["the artifact", "the latest"])("is made again once somebody has asked for %s in vain", async (asked) => {
    const one = await world.controllers.start();
    await world.objects.create("app", spec());
    await ready("app");
    const { path, url } = world.objects.externalArtifact("app")!.status!.artifact!;
    await rm(join(world.storage.root, path));
    const owner = { namespace: "default", name: "app" };
    one.caches.missed(owner, "artifactrepository/default/app/other.tar.gz");
    one.caches.missed(owner, asked === "the artifact" ? path : path.replace(/[^/]+$/, "latest.tar.gz"));
    await eventually(async () => expect((await fetch(url, { method: "HEAD" })).status).toBe(200));
    await ready("app");
  });
});

describe("the finalizer", () => {
  const oci = (): object => ({
    publish: { oci: { url: `oci://${world.registry.host}/published/app`, insecure: true } },
  });
  const patch = async (change: object): Promise<unknown> =>
    await world.kube.patch(
      artifactRepositories,
      { name: "app", namespace: "default" },
      change,
      { fieldManager: "user" },
      never,
    );
  const finalizers = (): readonly string[] => world.objects.get("app")?.metadata.finalizers ?? [];

  it("is there only while something is pushed out of the cluster", async () => {
    await world.controllers.start();
    await world.objects.create("app", spec());
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
    await world.objects.create("app", spec(more));
    await patch({ metadata: { finalizers: ["example.dev/hold", FINALIZER] } });
    await world.controllers.start();
    await vi.waitFor(() => expect(finalizers()).toEqual(["example.dev/hold"]));
  });

  it("takes what was pushed along", async () => {
    await world.controllers.start();
    await world.objects.create("app", spec(oci()));
    await ready("app");
    const { digest } = world.objects.get("app")!.status!.published!.find(({ kind }) => kind === "OCIArtifact")!;
    const pushed = async (): Promise<number> =>
      (await fetch(`${world.registry.url}/v2/published/app/manifests/${digest}`, { method: "HEAD" })).status;
    expect(await pushed()).toBe(200);
    await world.objects.remove("app");
    await eventually(async () =>
      expect([await pushed(), world.objects.get("app"), await left()]).toEqual([
        404,
        undefined,
        { files: [], published: [] },
      ]),
    );
  });
});
