import { artifactRepositories } from "../../api/kinds.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { Caches } from "./caches.ts";
import { startLoop, type Loop } from "./loop.ts";
import type { Deps } from "./ports.ts";
import { capacity } from "./capacity.ts";
import type { RawObject } from "../pipeline/object.ts";

const never = new AbortController().signal;
const namespace = "default";
let registry: TestRegistry;
let controller: TestReconciler;
let loop: Loop;
/** The loop's own: what is waited for here is a registry. */
let clock: FakeClock;
const stopping = new Set<AbortController>();
const revisions: string[] = [];

async function startLooping(concurrent = 4): Promise<void> {
  const abort = new AbortController();
  stopping.add(abort);
  const log = (): void => undefined;
  const caches = new Caches(
    { kube: controller.kube, namespace: undefined, labelSelector: undefined, log },
    abort.signal,
  );
  await caches.synced;
  clock = new FakeClock();
  loop = startLoop(caches, controller.deps, { concurrent, backoff: { baseMs: 50, maxMs: 200 }, clock });
}

/** Notes what is made an artifact, in order. */
function watchStore({ store }: Deps): void {
  const publish = store.publish.bind(store);
  Object.assign(store, {
    publish: async (...args: Parameters<typeof publish>) => {
      const artifact = await publish(...args);
      revisions.push(`${args[0].owner.name} ${artifact.revision.split("@")[0]}`);
      return artifact;
    },
  });
}

beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  revisions.length = 0;
  watchStore(controller.deps);
});
afterEach(async () => {
  const stopped = loop.stop(0);
  await clock.advance(0);
  await stopped;
  for (const abort of stopping) abort.abort();
  stopping.clear();
  await controller.close();
  await registry.close();
});

const spec = (tag: string, more: object = {}): object => specOf(registry, "flux/app", { ref: { tag }, ...more });
const isReady = async (name: string, generation: number): Promise<boolean> => {
  const ready = (await controller.get(name))?.status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && ready.observedGeneration === generation;
};
/** Long, for a machine that is busy; what hangs does so for longer. */
const polling = { timeout: 12_000, interval: 10 };
const hangMs = 600_000;
const readyAt = async (name: string, generation: number): Promise<void> =>
  await expect.poll(() => isReady(name, generation), polling).toBe(true);
const asked = async (path: RegExp): Promise<void> =>
  await expect.poll(() => registry.requests.some((request) => path.test(request.path)), polling).toBe(true);

describe("work that is under way", () => {
  it.each([
    ["the manifest hangs", { path: /manifests\/1\.0\.0/, delayMs: hangMs }, /manifests/],
    ["the manifest's body hangs", { path: /manifests\/1\.0\.0/, stallAfterBytes: 10 }, /manifests/],
    ["the blob hangs", { path: /blobs/, delayMs: hangMs }, /blobs/],
    ["the blob's body hangs", { path: /blobs/, stallAfterBytes: 100 }, /blobs/],
  ])("is dropped when the object is edited: %s", async (_, fault, path) => {
    registry.faults.add(fault);
    await controller.apply("app", spec("1.0.0"));
    await startLooping(1);
    await asked(path);
    await controller.apply("app", spec("1.1.0"));
    await readyAt("app", 2);
    expect(clock.now()).toBe(0);
    expect(revisions).toEqual(["app 1.1.0"]);
    expect((await controller.get("app"))?.status?.artifact?.revision).toMatch(/^1\.1\.0@/);
  });

  it("is dropped when the object is suspended, and nothing is published", async () => {
    registry.faults.add({ path: /blobs/, stallAfterBytes: 100 });
    await controller.apply("app", spec("1.0.0"));
    await startLooping();
    await asked(/blobs/);
    await controller.apply("app", spec("1.0.0", { suspend: true }));
    await expect.poll(() => loop.queue.state(), polling).toMatchObject({ running: 0, aside: 0 });
    expect(revisions).toEqual([]);
    expect(await controller.externalArtifact("app")).toBeUndefined();
  });

  it("is dropped when the object is deleted, which goes at once", async () => {
    registry.faults.add({ path: /blobs/, stallAfterBytes: 100 });
    await controller.apply("app", spec("1.0.0"));
    await startLooping();
    await asked(/blobs/);
    await controller.kube.delete(artifactRepositories, { namespace, name: "app" }, {}, never);
    await expect.poll(() => controller.get("app"), polling).toBeUndefined();
    await expect.poll(() => loop.queue.state(), polling).toMatchObject({ running: 0, aside: 0, depth: 0 });
    expect(revisions).toEqual([]);
  });

  it("goes on when somebody asks for a reconcile", async () => {
    registry.faults.add({ path: /blobs/, delayMs: 300 });
    await controller.apply("app", spec("1.0.0"));
    await startLooping();
    await asked(/blobs/);
    await controller.apply("app", spec("1.0.0"), { "reconcile.fluxcd.io/requestedAt": "now" });
    await readyAt("app", 1);
    await expect.poll(() => loop.queue.state(), polling).toMatchObject({ running: 0, aside: 0, depth: 0 });
    expect(registry.requests.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(1);
  });
});

describe("other namespaces", () => {
  const hangs = /manifests\/1\.1\.0/;

  it.each([1, 4])("go on while all that one has hangs, with %i workers", async (concurrent) => {
    registry.faults.add({ path: hangs, times: 100, delayMs: hangMs });
    for (let at = 0; at < 30; at++)
      await controller.kube.create<RawObject>(
        artifactRepositories,
        {
          apiVersion: "source.strata.dev/v1beta1",
          kind: "ArtifactRepository",
          metadata: { name: `hanging-${at}`, namespace: "hostile" },
          spec: spec("1.1.0"),
        },
        never,
      );
    await startLooping(concurrent);
    await asked(hangs);
    await controller.apply("app", spec("1.0.0"));
    const goOn = async (): Promise<boolean> => {
      await clock.advance(capacity.asideAfterMs);
      return await isReady("app", 1);
    };
    await expect.poll(goOn, polling).toBe(true);
  });
});
