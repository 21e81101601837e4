import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ExternalArtifact } from "../../../api/flux/source.ts";
import { artifactRepositories, externalArtifacts, type ResourceType } from "../../../api/kinds.ts";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import { informerDefaults, registryDefaults } from "../../config.ts";
import { ReconcileMemory } from "../../controller/memory.ts";
import type { Deps, Next } from "../../controller/ports.ts";
import { reconcile } from "../../controller/reconcile.ts";
import type { KubeObject } from "../../kube/client.ts";
import { MemoryKube, type KubeRequest, type MemoryKubeOptions } from "../../kube/local/memory.ts";
import { startInformer } from "../../kube/run/informer.ts";
import { localSources } from "../../pipeline/sources.ts";
import { reconcilerDeps } from "../../reconciler/deps.ts";
import { startServers, type Servers } from "../../reconciler/servers.ts";
import { askOutside } from "../../registry/ask.ts";
import { testClient } from "../registry/client.ts";
import type { Transfer } from "../../publish/port.ts";
import type { RawObject } from "../../pipeline/object.ts";

const never = new AbortController().signal;
const namespace = "default";

export interface TestEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** The reconciler with its real parts, over a Kubernetes API in memory and without a queue. */
export interface TestReconciler {
  readonly kube: MemoryKube;
  readonly deps: Deps;
  readonly root: string;
  readonly events: readonly TestEvent[];
  /** Writes to the Kubernetes API since the last call. */
  writes(): readonly KubeRequest[];
  /** Makes an ArtifactRepository, or replaces its spec. */
  apply(name: string, spec: object, annotations?: Record<string, string>): Promise<void>;
  /** One reconcile of what the API has now; as in the queue, another one follows where it has to wait for another object. */
  reconcile(name: string, askedAt?: number): Promise<Next>;
  get(name: string): Promise<RawObject | undefined>;
  externalArtifact(name: string): Promise<ExternalArtifact | undefined>;
  /** Forgets what a process remembers, as a restart does. */
  restart(): void;
  close(): Promise<void>;
}

/** Transfers wait for nothing. */
export const atOnce: Transfer = async (_, work) => await work();

const writing = new Set(["create", "update", "patch", "apply", "delete"]);

export async function startTestReconciler(
  options: Omit<MemoryKubeOptions, "onRequest"> & { readonly ociEndpoint?: boolean } = {},
): Promise<TestReconciler> {
  const requests: KubeRequest[] = [];
  const kube = new MemoryKube({ ...options, onRequest: (request) => void requests.push(request) });
  const { deps, root, events, close } = await startParts(kube, { ociEndpoint: options.ociEndpoint ?? false });
  let memory = new ReconcileMemory();
  const read = async <T extends KubeObject>(type: ResourceType, name: string): Promise<T | undefined> =>
    await kube.get<T>(type, { namespace, name }, never);
  return {
    kube,
    deps,
    root,
    events,
    writes: () => requests.splice(0).filter(({ verb }) => writing.has(verb)),
    apply: async (name, spec, annotations = {}) => {
      await put(kube, { name, namespace, annotations }, spec);
      requests.length = 0;
    },
    reconcile: async (name, askedAt = performance.now()) => {
      const context = { memory, deps, askedAt, transfer: atOnce, signal: never };
      for (;;) {
        // What was written before gets to the cache first.
        await setTimeout(5);
        const next = await reconcile((await read<RawObject>(artifactRepositories, name))!, context);
        if (next.kind !== "wait") return next;
        await Promise.race([next.until, setTimeout(next.milliseconds, undefined, { ref: false })]);
      }
    },
    get: async (name) => await read<RawObject>(artifactRepositories, name),
    externalArtifact: async (name) => await read<ExternalArtifact>(externalArtifacts, name),
    restart: () => {
      memory = new ReconcileMemory();
    },
    close,
  };
}

async function put(kube: MemoryKube, named: KubeObject["metadata"], spec: object): Promise<void> {
  const existing = await kube.get<RawObject>(artifactRepositories, named, never);
  const metadata = { ...existing?.metadata, ...named };
  const object: RawObject = { apiVersion: API_VERSION, kind: KIND, metadata, spec };
  await (existing === undefined
    ? kube.create(artifactRepositories, object, never)
    : kube.update(artifactRepositories, object, never));
}

/** The real parts, over that API; `root` is a storage that is there already, which stays, `address` one to serve it at. */
export async function startParts(
  kube: MemoryKube,
  {
    ociEndpoint = false,
    root: given,
    address = "127.0.0.1:0",
  }: { readonly ociEndpoint?: boolean; readonly root?: string; readonly address?: string } = {},
): Promise<Pick<TestReconciler, "deps" | "root" | "events" | "close">> {
  const root = given ?? (await mkdtemp(join(tmpdir(), "strata-reconciler-")));
  const registry = testClient();
  const events: TestEvent[] = [];
  const sources = localSources({ registry, kube });
  const servers = await localServers(root, address, ociEndpoint);
  const stopping = new AbortController();
  const artifacts = startInformer<ExternalArtifact>(kube, externalArtifacts, informerDefaults, stopping.signal);
  await artifacts.synced;
  const deps = await reconcilerDeps(
    {
      root,
      kube,
      sources,
      servers,
      ask: askOutside(registryDefaults),
      retention: { ttlMs: 60_000, records: 2 },
      cachedExternalArtifact: (at) => artifacts.get(at),
      announce: { event: (_, event) => void events.push(event) },
      meter: { stage: () => undefined, downloaded: () => undefined, reused: () => undefined },
      log: () => undefined,
      settings: { intervalJitterPercentage: 0, requeueDependencyMs: 5000 },
    },
    never,
  );
  const close = async (): Promise<void> => {
    stopping.abort();
    await servers.close(0);
    await registry.close();
    if (given === undefined) await rm(root, { recursive: true, force: true });
  };
  return { deps, root, events, close };
}

async function localServers(root: string, address: string, ociEndpoint: boolean): Promise<Servers> {
  return await startServers({
    root,
    address,
    advertised: "",
    hostname: "127.0.0.1",
    oci: ociEndpoint ? { address: "127.0.0.1:0", advertised: "" } : undefined,
    ready: () => true,
    onError: (error) => {
      throw error;
    },
  });
}

/** Status of a condition; undefined where there is none. */
export function conditionOf(
  object: RawObject | undefined,
  type: string,
): { readonly status: string; readonly reason: string; readonly message: string } | undefined {
  return object?.status?.conditions?.find((condition) => condition.type === type);
}
