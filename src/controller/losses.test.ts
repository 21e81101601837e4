import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { artifactRepositories } from "../../api/kinds.ts";
import { closeTestWorld, openTestWorld, type TestWorld } from "../testing/kube/loop.ts";
import { conditionOf } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";

const never = new AbortController().signal;
let world: TestWorld;
let registry: TestWorld["registry"];
let storage: TestWorld["storage"];
let kube: TestWorld["kube"];
let objects: TestWorld["objects"];
let controllers: TestWorld["controllers"];

beforeEach(async () => {
  world = await openTestWorld();
  ({ registry, storage, kube, objects, controllers } = world);
});
afterEach(async () => await closeTestWorld(world));

const spec = (more: object = {}): object => specOf(registry, "flux/app", more);
const edit = async (name: string, change: object): Promise<unknown> =>
  await kube.patch(artifactRepositories, { name, namespace: "default" }, change, { fieldManager: "user" }, never);
const eventually = async (check: () => void): Promise<void> =>
  await vi.waitFor(check, { timeout: 10_000, interval: 10 });
const ready = (name: string): string | undefined => conditionOf(objects.get(name), "Ready")?.status;
const allReady = async (names: readonly string[]): Promise<void> =>
  await eventually(() => expect(names.map(ready)).toEqual(names.map(() => "True")));
const names = Array.from({ length: 12 }, (_, at) => `app-${at}`);

/** What both objects say to those who would download the artifact: where it is, and whether that is right. */
function told(name: string): unknown[] {
  return [objects.get(name)?.status, objects.externalArtifact(name)?.status].map((status) => ({
    url: status?.artifact?.url,
    isReady: status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true,
  }));
}
const nothing = Array.from({ length: 2 }, () => ({ url: undefined, isReady: false }));

/** Objects are ready, then the controller ends. @returns where it served */
async function leave(): Promise<string> {
  await controllers.start();
  for (const name of names) await objects.create(name, spec());
  await allReady(names);
  const { host } = new URL(objects.get(names[0]!)!.status!.artifact!.url);
  await controllers.stopAll();
  return host;
}

describe("files that are gone when the controller starts", () => {
  it("are told of at once for all objects, also while nothing can be built", async () => {
    const host = await leave();
    await edit("app-1", { spec: { suspend: true } });
    await edit("app-2", { spec: { interval: "soon" } });
    await rm(join(storage.root, "artifactrepository"), { recursive: true });
    // Four are being looked at by workers; nobody else gets his turn.
    registry.faults.add({ path: /manifests/, times: 1000, delayMs: 60_000 });
    await controllers.start({ address: host });
    await eventually(() => expect(names.map(told)).toEqual(names.map(() => nothing)));
    expect(conditionOf(objects.get("app-1"), "Ready")).toMatchObject({ status: "False", reason: "Suspended" });
    registry.faults.clear();
  });

  it("are made again", async () => {
    const host = await leave();
    await rm(join(storage.root, "artifactrepository"), { recursive: true });
    await controllers.start({ address: host });
    await vi.waitFor(
      async () => {
        for (const name of names) {
          const { url } = objects.externalArtifact(name)!.status!.artifact!;
          expect([ready(name), (await fetch(url, { method: "HEAD" })).status]).toEqual(["True", 200]);
        }
      },
      { timeout: 10_000, interval: 50 },
    );
  });

  it("are none where all is there: nothing is written", async () => {
    const host = await leave();
    const versions = names.map((name) => objects.get(name)?.metadata.resourceVersion);
    const one = await controllers.start({ address: host });
    await eventually(() => expect(one.loop.queue.state()).toMatchObject({ depth: 0, unfinishedMs: 0 }));
    expect(names.map((name) => objects.get(name)?.metadata.resourceVersion)).toEqual(versions);
  });
});

describe("a file that is gone under an object which is not reconciled", () => {
  it.each<[string, object, string]>([
    ["is suspended", { suspend: true }, "False"],
    ["makes no sense", { interval: "soon" }, "False"],
  ])("because it %s, is told of once somebody has asked for it in vain", async (_, change, expected) => {
    const one = await controllers.start();
    await objects.create("app", spec());
    await allReady(["app"]);
    const { path } = objects.get("app")!.status!.artifact!;
    await edit("app", { spec: change });
    await eventually(() => expect(one.loop.queue.state()).toMatchObject({ depth: 0, unfinishedMs: 0 }));
    expect(objects.get("app")?.status?.artifact).toBeDefined();
    await truncate(join(storage.root, path), 1);
    one.caches.missed({ namespace: "default", name: "app" }, path);
    await eventually(() => expect(told("app")).toEqual(nothing));
    expect(ready("app")).toBe(expected);
    expect(conditionOf(objects.get("app"), "ArtifactInStorage")).toBeUndefined();
  });

  it("comes back with the object", async () => {
    const one = await controllers.start();
    await objects.create("app", spec());
    await allReady(["app"]);
    const { path } = objects.get("app")!.status!.artifact!;
    await edit("app", { spec: { suspend: true } });
    await rm(join(storage.root, path));
    one.caches.missed({ namespace: "default", name: "app" }, path);
    await eventually(() => expect(told("app")).toEqual(nothing));
    await edit("app", { spec: { suspend: false } });
    await allReady(["app"]);
    expect(objects.externalArtifact("app")?.status?.artifact?.path).toBe(path);
  });
});
