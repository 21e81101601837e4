import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { artifactRepositories, externalArtifacts, type ResourceType } from "../../api/kinds.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { type TestController, useTestWorld } from "../testing/kube/loop.ts";
import { conditionOf } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";

const never = new AbortController().signal;
const world = useTestWorld();
const namespace = "default";

const spec = (more: object = {}): object => specOf(world.registry, "flux/app", more);
const eventually = async (check: () => void): Promise<void> =>
  await vi.waitFor(check, { timeout: 10_000, interval: 10 });
const ready = (name: string): string | undefined => conditionOf(world.objects.get(name), "Ready")?.status;
const edit = async (type: ResourceType, change: object, subresource?: "status"): Promise<unknown> =>
  await world.kube.patch(
    type,
    { name: "app", namespace },
    change,
    { fieldManager: "user", ...(subresource && { subresource }) },
    never,
  );
const annotation = { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": "now" } } };
const file = (): string => join(world.storage.root, world.objects.get("app")!.status!.artifact!.path);

function putArtifact(repository: string): void {
  const mediaType = "application/vnd.cncf.flux.content.v1.tar+gzip";
  const bytes = gzipSync(tarOf({ name: "a.yaml", content: repository }));
  const config = { mediaType: "application/vnd.cncf.flux.config.v1+json", bytes: Buffer.from("{}") };
  world.registry.store.putArtifact(repository, { tag: "1.0.0", config, layers: [{ mediaType, bytes }] });
}

/** The objects are ready, then the controller ends. @returns where it served */
async function leave(names: readonly string[], specFor: (name: string) => object = () => spec()): Promise<string> {
  await world.controllers.start();
  for (const name of names) await world.objects.create(name, specFor(name), { team: "a" });
  await eventually(() => expect(names.map(ready)).toEqual(names.map(() => "True")));
  const { host } = new URL(world.objects.get(names[0]!)!.status!.artifact!.url);
  await world.controllers.stopAll();
  world.registry.requests.length = 0;
  return host;
}

const atRest = async ({ loop }: TestController, count: number): Promise<void> =>
  await eventually(() =>
    expect(loop.queue.state()).toMatchObject({ depth: 0, running: 0, aside: 0, scheduled: count }),
  );

describe("after a start", () => {
  it("objects that are as they should be wait for their turn upstream, and are served", async () => {
    const names = Array.from({ length: 20 }, (_, at) => `app-${at}`);
    const host = await leave(names);
    const before = names.map((name) => world.objects.get(name)?.status);
    await atRest(await world.controllers.start({ address: host }), names.length);
    expect(world.registry.requests).toEqual([]);
    expect(names.map((name) => world.objects.get(name)?.status)).toEqual(before);
    expect((await fetch(world.objects.get("app-7")!.status!.artifact!.url)).status).toBe(200);
  });

  it("their turns are spread over a part of the interval, and come", async () => {
    const names = Array.from({ length: 20 }, (_, at) => `app-${at}`);
    for (const name of names) putArtifact(name);
    const host = await leave(names, (name) => specOf(world.registry, name));
    // A second.
    await world.controllers.start({ address: host, settings: { spreadAfterStart: 1 / 600 } });
    await eventually(() => expect(world.registry.requests.length).toBeGreaterThan(0));
    expect(world.registry.requests.length).toBeLessThan(names.length);
    await eventually(() =>
      expect(world.registry.requests.map(({ method }) => method)).toEqual(names.map(() => "HEAD")),
    );
  });

  it.each<[string, () => Promise<unknown>]>([
    ["is edited", () => edit(artifactRepositories, { spec: { timeout: "2m" } })],
    ["is asked for", () => edit(artifactRepositories, annotation)],
    ["is asked for at its ExternalArtifact", () => edit(externalArtifacts, annotation)],
    ["has another label", () => edit(artifactRepositories, { metadata: { labels: { team: "b" } } })],
    ["has lost its file", () => rm(file())],
    ["has a damaged file", async () => await writeFile(file(), (await readFile(file())).fill(0, 20, 40))],
    [
      "has lost its ExternalArtifact",
      () => world.kube.delete(externalArtifacts, { name: "app", namespace }, {}, never),
    ],
    [
      "has an ExternalArtifact that says something else",
      () => edit(externalArtifacts, { status: { artifact: { revision: "1.0.0@sha256:0" } } }, "status"),
    ],
    ["has failed", () => edit(artifactRepositories, { status: { conditions: [] } }, "status")],
  ])("an object that %s meanwhile is reconciled at once", async (_, change) => {
    for (const name of ["app", "other"]) putArtifact(name);
    const host = await leave(["app", "other"], (name) => specOf(world.registry, name));
    await change();
    const controller = await world.controllers.start({ address: host });
    await eventually(() => expect(world.registry.requests.length).toBeGreaterThan(0));
    await atRest(controller, 2);
    expect(ready("app")).toBe("True");
    expect(world.objects.externalArtifact("app")?.metadata.labels).toMatchObject(
      world.objects.get("app")!.metadata.labels!,
    );
    expect(world.objects.externalArtifact("app")?.status?.artifact).toEqual(world.objects.get("app")?.status?.artifact);
    expect(world.registry.requests.map(({ path }) => path)[0]).toBe("/v2/app/manifests/1.0.0");
    expect(world.registry.requests.filter(({ path }) => !path.startsWith("/v2/app/"))).toEqual([]);
  });

  it("an object that has lost a label meanwhile is reconciled at once, and its ExternalArtifact loses it", async () => {
    const host = await leave(["app"]);
    await edit(artifactRepositories, { metadata: { labels: { team: null } } });
    await world.controllers.start({ address: host });
    await eventually(() => expect(world.objects.externalArtifact("app")?.metadata.labels).not.toHaveProperty("team"));
    expect(world.registry.requests).toHaveLength(1);
  });

  it("an object without an interval is reconciled at once, as nothing else would bring its turn", async () => {
    const host = await leave(["app"], () => spec({ interval: "0s" }));
    await world.controllers.start({ address: host });
    await eventually(() => expect(world.registry.requests).toHaveLength(1));
  });

  it("an object that is only pushed waits as well", async () => {
    const oci = { url: `oci://${world.registry.host}/mirror/app`, insecure: true };
    const host = await leave(["app"], () => spec({ publish: { oci } }));
    await atRest(await world.controllers.start({ address: host }), 1);
    expect(world.registry.requests).toEqual([]);
  });

  it("an object that is asked for while it waits is reconciled at once", async () => {
    const host = await leave(["app"]);
    await atRest(await world.controllers.start({ address: host }), 1);
    await edit(artifactRepositories, annotation);
    await eventually(() => expect(world.objects.get("app")?.status?.lastHandledReconcileAt).toBe("now"));
    expect(world.registry.requests).toHaveLength(1);
  });

  it("an object whose file is served elsewhere now is reconciled at once", async () => {
    const host = await leave(["app"]);
    await world.controllers.start();
    await eventually(() => expect(new URL(world.objects.get("app")!.status!.artifact!.url).host).not.toBe(host));
    expect(world.registry.requests).toHaveLength(1);
  });
});
