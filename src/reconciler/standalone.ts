import { standaloneDefaults } from "../config.ts";
import type { Deps } from "../controller/ports.ts";
import type { CredentialProvider } from "../credentials/provider.ts";
import { makeDirectory } from "../disk/make-directory.ts";
import { CodedError, messageOf } from "../errors.ts";
import { openDirectory } from "../kube/local/directory.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import type { RegistryClient } from "../registry/client.ts";
import { Caches } from "../controller/caches.ts";
import { startLoop } from "../controller/loop.ts";
import { reconcilerDeps, type ReconcilerOptions } from "./deps.ts";
import { startServers, type Servers } from "./servers.ts";
import { localSources } from "../pipeline/sources.ts";
import type { RawObject } from "../pipeline/object.ts";

export interface StandaloneOptions {
  /** Directory of manifests. */
  readonly dir: string;
  readonly storage: string;
  readonly address: string;
  readonly ociAddress: string | undefined;
  readonly registry: RegistryClient;
  /** By default the one that came along. */
  readonly publicRoot?: ReconcilerOptions["publicRoot"];
  readonly ask: ReconcilerOptions["ask"];
  readonly ownCredentials: CredentialProvider | undefined;
  readonly concurrent: number;
  /** Manifests that cannot be read, and what is wrong with them. */
  readonly onProblem: (message: string) => void;
  readonly onEvent: (key: ObjectKey, type: "Normal" | "Warning", message: string) => void;
  readonly log: Deps["log"];
}

/** The reconciler without a cluster. */
export interface Standalone {
  readonly servers: Servers;
  /** The ArtifactRepositories with their status. */
  list(): readonly RawObject[];
  /** Resolves once every object was reconciled at its present generation, well or badly. */
  settled(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The same reconcile over a directory of manifests; everything that is written stays in memory. What was opened is closed
 * when the start fails.
 * @throws StorageFailed; InvalidSpec (directory, addresses)
 */
export async function startStandalone(options: StandaloneOptions, signal: AbortSignal): Promise<Standalone> {
  const stopping = new AbortController();
  const running = AbortSignal.any([signal, stopping.signal]);
  try {
    await makeStorage(options.storage);
    const { client } = await openDirectory({ dir: options.dir, onProblem: options.onProblem, signal: running });
    const servers = await startServers({
      root: options.storage,
      address: options.address,
      advertised: "",
      hostname: "127.0.0.1",
      ready: () => true,
      oci: options.ociAddress === undefined ? undefined : { address: options.ociAddress, advertised: "" },
      onError: (error) => options.log("error", `answering a request failed: ${String(error)}`, {}),
    });
    return await reconcileDirectory({ options, kube: client, servers, stopping }, running).catch(
      async (error: unknown) => {
        await servers.close(0);
        throw error;
      },
    );
  } catch (error) {
    stopping.abort(new DOMException("the start has failed", "AbortError"));
    throw error;
  }
}

async function makeStorage(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    throw new CodedError("StorageFailed", `the storage ${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
}

interface Opened {
  readonly options: StandaloneOptions;
  readonly kube: KubeClient;
  readonly servers: Servers;
  readonly stopping: AbortController;
}

async function reconcileDirectory(
  { options, kube, servers, stopping }: Opened,
  running: AbortSignal,
): Promise<Standalone> {
  const caches = new Caches({ kube, namespace: undefined, labelSelector: undefined, log: options.log }, running);
  await caches.synced;
  const deps = await standaloneDeps({ options, kube, servers, caches }, running);
  const reconciling = startLoop(caches, deps, { concurrent: options.concurrent, backoff: standaloneDefaults.backoff });
  return {
    servers,
    list: () => caches.objects.list(),
    settled: async (until) => await settled(() => caches.objects.list(), until),
    stop: async () => {
      await reconciling.stop(standaloneDefaults.graceMs);
      stopping.abort(new DOMException("stopped", "AbortError"));
      await servers.close(standaloneDefaults.graceMs);
    },
  };
}

async function standaloneDeps(
  { options, kube, servers, caches }: Omit<Opened, "stopping"> & { readonly caches: Caches },
  running: AbortSignal,
): Promise<Deps> {
  const { log, registry, ownCredentials } = options;
  const sources = localSources({ registry, kube, ownCredentials });
  return await reconcilerDeps(
    {
      root: options.storage,
      kube,
      sources,
      servers,
      retention: standaloneDefaults.retention,
      log,
      publicRoot: options.publicRoot,
      ask: options.ask,
      cachedExternalArtifact: (key) => caches.externalArtifacts.get(key),
      announce: { event: ({ key }, { type, message }) => options.onEvent(key, type, message) },
      meter: { stage: () => undefined, downloaded: () => undefined, reused: () => undefined },
      settings: standaloneDefaults.settings,
    },
    running,
  );
}

async function settled(list: () => readonly RawObject[], signal: AbortSignal): Promise<void> {
  while (!list().every(isSettled)) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isSettled({ metadata, spec, status }: RawObject): boolean {
  if ((spec as { suspend?: boolean } | undefined)?.suspend === true) return true;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready !== undefined && ready.status !== "Unknown" && ready.observedGeneration === metadata.generation;
}
