import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { secrets } from "../../api/kinds.ts";
import type { Descriptor } from "../oci/types.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import type { Fault } from "../testing/registry/faults.ts";
import { startProxy, type TestProxy } from "../testing/registry/proxy.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { Caches } from "./caches.ts";
import { startLoop, type Loop } from "./loop.ts";

/** What a tenant can do to another's objects by what they share (docs/security.md, "What objects share"). */

const never = new AbortController().signal;
const repository = "team-a/app";
let registry: TestRegistry;
/** Tenant B's own, which answers in the name of the other. */
let impostor: TestRegistry;
let proxy: TestProxy;
let controller: TestReconciler;

beforeEach(async () => {
  [registry, impostor] = await Promise.all([startRegistry(), startRegistry()]);
  proxy = await startProxy({ resolve: () => impostor.host });
  controller = await startTestReconciler();
  await controller.kube.create(
    secrets,
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "proxy", namespace: "default" },
      data: { address: Buffer.from(proxy.url).toString("base64") },
    } as never,
    never,
  );
});
afterEach(async () => {
  await Promise.all([controller.close(), proxy.close(), registry.close(), impostor.close()]);
});

const put = (to: TestRegistry, content: string, at = repository): Descriptor =>
  to.store.putArtifact(at, {
    tag: "1.0.0",
    layers: [
      {
        mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip",
        bytes: gzipSync(tarOf({ name: "secret.yaml", content })),
      },
    ],
  });
const spec = (more: object = {}): object => specOf(registry, repository, more);
const digestOf = async (name: string): Promise<string | undefined> =>
  (await controller.get(name))?.status?.artifact?.digest;

/** Answers whatever asks for the tag with a digest, and has no bytes of it. */
const claim = ({ digest, mediaType, size }: Descriptor): void =>
  impostor.faults.add({
    method: "HEAD",
    path: /manifests\/1\.0\.0/,
    status: 200,
    headers: { "docker-content-digest": digest, "content-type": mediaType, "content-length": String(size) },
    times: 99,
  });

describe("a digest that a tenant's own proxy names", () => {
  it("gives the tenant nothing of what others have built from it", async () => {
    const secret = put(registry, "password of A");
    put(impostor, "of B");
    await controller.apply("b", spec({ proxySecretRef: { name: "proxy" } }));
    await controller.reconcile("b");
    const own = await digestOf("b");
    await controller.apply("a", spec());
    await controller.reconcile("a");
    claim(secret);
    for (const memory of ["kept", "lost"]) {
      if (memory === "lost") controller.restart();
      await controller.reconcile("b");
      expect(conditionOf(await controller.get("b"), "Ready")).toMatchObject({ status: "False" });
      expect(await digestOf("b")).toBe(own);
    }
    expect(await digestOf("a")).not.toBe(own);
    expect(proxy.requests.length).toBeGreaterThan(0);
  });

  it("puts nothing into what others read", async () => {
    const honest = put(registry, "of A");
    put(impostor, "of B");
    await controller.apply("b", spec({ proxySecretRef: { name: "proxy" } }));
    await controller.reconcile("b");
    await controller.apply("a", spec());
    await controller.reconcile("a");
    expect((await controller.get("a"))?.status?.upstream?.digest).toBe(honest.digest);
    expect(await digestOf("a")).not.toBe(await digestOf("b"));
  });
});

describe("a build under way for another object", () => {
  let stop: AbortController;
  let loop: Loop;

  /** Reconciles what there is, by two workers. */
  async function work(): Promise<void> {
    const { kube, deps } = controller;
    const caches = new Caches(
      { kube, namespace: undefined, labelSelector: undefined, log: () => undefined },
      stop.signal,
    );
    await caches.synced;
    loop = startLoop(caches, deps, { concurrent: 2, backoff: { baseMs: 10, maxMs: 20 } });
  }
  const isReady = async (name: string): Promise<boolean> =>
    conditionOf(await controller.get(name), "Ready")?.status === "True";
  const until = async (check: () => Promise<boolean> | boolean): Promise<void> => {
    while (!(await check())) await setTimeout(5);
  };
  const blobs = (): number => registry.requests.filter(({ path }) => path.includes("/blobs/")).length;

  /** Tenant B's build, which comes to nothing for now. */
  async function begin(fault: Fault): Promise<void> {
    stop = new AbortController();
    put(registry, "shared");
    registry.faults.add({ path: /blobs/, ...fault });
    await controller.apply("b", spec({ timeout: "60s" }));
    await work();
    await until(() => blobs() === 1);
  }
  afterEach(async () => {
    await loop.stop(0);
    stop.abort();
  });

  it("holds no worker while others wait for it", async () => {
    await begin({ delayMs: 60_000 });
    put(registry, "other", "other/app");
    for (const name of ["a1", "a2", "a3"]) await controller.apply(name, spec({ timeout: "60s" }));
    await until(() => loop.queue.state().scheduled === 3);
    expect(loop.queue.state()).toMatchObject({ running: 1, depth: 0 });
    await controller.apply("other", { ...spec(), url: `oci://${registry.host}/other/app` });
    await until(() => isReady("other"));
    expect([await isReady("a1"), blobs()]).toEqual([false, 2]);
  });

  it("is waited for no longer than one's own timeout", async () => {
    await begin({ delayMs: 60_000 });
    await controller.apply("a", spec({ timeout: "200ms" }));
    await until(() => isReady("a"));
    expect(await isReady("b")).toBe(false);
  });

  it("that fails is not a failure of those who wait", async () => {
    await begin({ delayMs: 300, status: 404 });
    await controller.apply("a", spec({ timeout: "60s" }));
    await until(() => isReady("a"));
  });
});
