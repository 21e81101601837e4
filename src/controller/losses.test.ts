import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { artifactRepositories } from "../../api/kinds.ts";
import { useTestWorld } from "../testing/kube/loop.ts";
import { conditionOf } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";

const never = new AbortController().signal;
const world = useTestWorld();

const spec = (more: object = {}): object => specOf(world.registry, "flux/app", more);
const edit = async (name: string, change: object): Promise<unknown> =>
  await world.kube.patch(artifactRepositories, { name, namespace: "default" }, change, { fieldManager: "user" }, never);
const eventually = async (check: () => void): Promise<void> =>
  await vi.waitFor(check, { timeout: 10_000, interval: 10 });
const ready = (name: string): string | undefined => conditionOf(world.objects.get(name), "Ready")?.status;
const allReady = async (names: readonly string[]): Promise<void> =>
  await eventually(() => expect(names.map(ready)).toEqual(names.map(() => "True")));
const names = Array.from({ length: 12 }, (_, at) => `app-${at}`);

/** What both objects say to those who would download the artifact: where it is, and whether that is right. */
function told(name: string): unknown[] {
  return [world.objects.get(name)?.status, world.objects.externalArtifact(name)?.status].map((status) => ({
    url: status?.artifact?.url,
    isReady: status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true,
  }));
}
const nothing = Array.from({ length: 2 }, () => ({ url: undefined, isReady: false }));

/** Objects are ready, then the controller ends. @returns where it served */
async function leave(): Promise<string> {
  await world.controllers.start();
  for (const name of names) await world.objects.create(name, spec());
  await allReady(names);
  const { host } = new URL(world.objects.get(names[0]!)!.status!.artifact!.url);
  await world.controllers.stopAll();
  return host;
}

describe("files that are gone when the controller starts", () => {
  it("are told of at once for all objects, also while nothing can be built", async () => {
    const host = await leave();
    await edit("app-1", { spec: { suspend: true } });
    await edit("app-2", { spec: { interval: "soon" } });
    await rm(join(world.storage.root, "artifactrepository"), { recursive: true });
    // Four are being looked at by workers; nobody else gets his turn.
    world.registry.faults.add({ path: /manifests/, times: 1000, delayMs: 60_000 });
    await world.controllers.start({ address: host });
    await eventually(() => expect(names.map(told)).toEqual(names.map(() => nothing)));
    expect(conditionOf(world.objects.get("app-1"), "Ready")).toMatchObject({ status: "False", reason: "Suspended" });
    world.registry.faults.clear();
  });

  it("are made again", async () => {
    const host = await leave();
    await rm(join(world.storage.root, "artifactrepository"), { recursive: true });
    await world.controllers.start({ address: host });
    await vi.waitFor(
      async () => {
        for (const name of names) {
          const { url } = world.objects.externalArtifact(name)!.status!.artifact!;
          expect([ready(name), (await fetch(url, { method: "HEAD" })).status]).toEqual(["True", 200]);
        }
      },
      { timeout: 10_000, interval: 50 },
    );
  });

  it("are none where all is there: nothing is written", async () => {
    const host = await leave();
    const versions = names.map((name) => world.objects.get(name)?.metadata.resourceVersion);
    const one = await world.controllers.start({ address: host });
    await eventually(() => expect(one.loop.queue.state()).toMatchObject({ depth: 0, unfinishedMs: 0 }));
    expect(names.map((name) => world.objects.get(name)?.metadata.resourceVersion)).toEqual(versions);
  });
});

describe("a file that is gone under an object which is not reconciled", () => {
  it.each<[string, object, string]>([
    ["is suspended", { suspend: true }, "False"],
    ["makes no sense", { interval: "soon" }, "False"],
  ])("because it %s, is told of once somebody has asked for it in vain", async (_, change, expected) => {
    const one = await world.controllers.start();
    await world.objects.create("app", spec());
    await allReady(["app"]);
    const { path } = world.objects.get("app")!.status!.artifact!;
    await edit("app", { spec: change });
    await eventually(() => expect(one.loop.queue.state()).toMatchObject({ depth: 0, unfinishedMs: 0 }));
    expect(world.objects.get("app")?.status?.artifact).toBeDefined();
    await truncate(join(world.storage.root, path), 1);
    one.caches.missed({ namespace: "default", name: "app" }, path);
    await eventually(() => expect(told("app")).toEqual(nothing));
    expect(ready("app")).toBe(expected);
    expect(conditionOf(world.objects.get("app"), "ArtifactInStorage")).toBeUndefined();
  });

  it("comes back with the object", async () => {
    const one = await world.controllers.start();
    await world.objects.create("app", spec());
    await allReady(["app"]);
    const { path } = world.objects.get("app")!.status!.artifact!;
    await edit("app", { spec: { suspend: true } });
    await rm(join(world.storage.root, path));
    one.caches.missed({ namespace: "default", name: "app" }, path);
    await eventually(() => expect(told("app")).toEqual(nothing));
    await edit("app", { spec: { suspend: false } });
    await allReady(["app"]);
    expect(world.objects.externalArtifact("app")?.status?.artifact?.path).toBe(path);
  });
});
