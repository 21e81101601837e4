import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { artifactRepositories, externalArtifacts } from "../../../api/kinds.ts";
import type { ExternalArtifact } from "../../../api/flux/source.ts";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import { Caches } from "../../controller/caches.ts";
import { startLoop, type Loop } from "../../controller/loop.ts";
import type { Deps } from "../../controller/ports.ts";
import type { RawObject } from "../../pipeline/object.ts";
import { MemoryKube, type MemoryKubeOptions } from "../../kube/local/memory.ts";
import { startRegistry, type TestRegistry } from "../registry/registry.ts";
import { startParts } from "./reconciler.ts";

const never = new AbortController().signal;
const namespace = "default";

/** A storage that outlives the controllers of a test. */
export async function openTestStorage(): Promise<{
  readonly root: string;
  stored(): Promise<string[]>;
  remove(): Promise<void>;
}> {
  const root = await mkdtemp(join(tmpdir(), "strata-loop-"));
  return {
    root,
    stored: async () => await readdir(join(root, "artifactrepository", namespace)).catch(() => []),
    remove: async () => await rm(root, { recursive: true, force: true }),
  };
}

/** Caches, queue and reconciler with their real parts, over a Kubernetes API in memory. */
export interface TestController {
  readonly caches: Caches;
  readonly deps: Deps;
  readonly loop: Loop;
  stop(): Promise<void>;
}

async function startTestController(
  kube: MemoryKube,
  options: {
    readonly root: string;
    readonly address?: string;
    readonly labelSelector?: string;
    readonly namespace?: string;
    readonly settings?: Partial<Deps["settings"]>;
  },
): Promise<TestController> {
  const stopping = new AbortController();
  const parts = await startParts(kube, options);
  const deps = { ...parts.deps, settings: { ...parts.deps.settings, orphanPauseMs: 50, ...options.settings } };
  const { labelSelector, namespace: watched } = options;
  const caches = new Caches({ kube, namespace: watched, labelSelector, log: () => undefined }, stopping.signal);
  await caches.synced;
  const loop = startLoop(caches, deps, { concurrent: 4, backoff: { baseMs: 20, maxMs: 200 } });
  return {
    caches,
    deps,
    loop,
    stop: async () => {
      await loop.stop(2000);
      stopping.abort();
      await parts.close();
    },
  };
}

/** The controllers of a test, each as in a process of its own; they share the API and, unless told otherwise, the storage. */
function testControllers(kube: MemoryKube, root: string) {
  const running = new Set<TestController>();
  const stop = async (one: TestController): Promise<void> => {
    running.delete(one);
    await one.stop();
  };
  return {
    start: async (options: Partial<Parameters<typeof startTestController>[1]> = {}): Promise<TestController> => {
      const one = await startTestController(kube, { root, ...options });
      running.add(one);
      return one;
    },
    stop,
    stopAll: async (): Promise<void> => void (await Promise.all([...running].map(stop))),
  };
}

/** What users and the garbage collector do to a MemoryKube. */
function testObjects(kube: MemoryKube): {
  create(name: string, spec: object, labels?: Record<string, string>): Promise<RawObject>;
  remove(name: string): Promise<void>;
  get(name: string): RawObject | undefined;
  externalArtifact(name: string): ExternalArtifact | undefined;
  externalArtifacts(): Promise<readonly string[]>;
} {
  return {
    create: async (name, spec, labels = {}) =>
      await kube.create<RawObject>(
        artifactRepositories,
        { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace, labels }, spec },
        never,
      ),
    remove: async (name) => await kube.delete(artifactRepositories, { name, namespace }, {}, never),
    get: (name) => kube.peek(artifactRepositories, { name, namespace }),
    externalArtifact: (name) => kube.peek(externalArtifacts, { name, namespace }) as ExternalArtifact | undefined,
    externalArtifacts: async () =>
      (await kube.list(externalArtifacts, {}, never)).items.map(({ metadata }) => metadata.name),
  };
}

/** What tests of whole controllers need: a registry with the fixtures, a Kubernetes API in memory, and a storage. */
export interface TestWorld {
  readonly registry: TestRegistry;
  readonly storage: Awaited<ReturnType<typeof openTestStorage>>;
  readonly kube: MemoryKube;
  readonly objects: ReturnType<typeof testObjects>;
  readonly controllers: ReturnType<typeof testControllers>;
}

/** One for each test of the suite, gone after it. It is there from the first `beforeEach` on. */
export function useTestWorld(options: MemoryKubeOptions = {}): TestWorld {
  let world: TestWorld;
  beforeEach(async () => {
    world = await openTestWorld(options);
  });
  afterEach(async () => await closeTestWorld(world));
  return {
    get registry() {
      return world.registry;
    },
    get storage() {
      return world.storage;
    },
    get kube() {
      return world.kube;
    },
    get objects() {
      return world.objects;
    },
    get controllers() {
      return world.controllers;
    },
  };
}

async function openTestWorld(options: MemoryKubeOptions): Promise<TestWorld> {
  const [registry, storage] = await Promise.all([startRegistry({ fixtures: true }), openTestStorage()]);
  const kube = new MemoryKube(options);
  return { registry, storage, kube, objects: testObjects(kube), controllers: testControllers(kube, storage.root) };
}

/** Stops the controllers first. */
async function closeTestWorld({ controllers, registry, storage }: TestWorld): Promise<void> {
  await controllers.stopAll();
  await Promise.all([registry.close(), storage.remove()]);
}
