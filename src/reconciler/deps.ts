import type { ExternalArtifact } from "../../api/flux/source.ts";
import { defaultLimits, reconcileDefaults, sharedBuildEntries, verifyConcurrency } from "../config.ts";
import type { Announcer, Deps, Meter, Settings } from "../controller/ports.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import { openScratch } from "../pipeline/scratch.ts";
import { SharedBuilds } from "../pipeline/shared-builds.ts";
import type { ClusterSources } from "../pipeline/sources.ts";
import { lazyVerifier } from "../pipeline/verify-policy.ts";
import { companionPublishers } from "../publish/companion-publishers.ts";
import { ociPublisher } from "../publish/oci-publisher.ts";
import type { RetentionPolicy } from "../store/retention.ts";
import { openStorage } from "../store/storage.ts";
import type { Servers } from "./servers.ts";

type Outside = Parameters<typeof lazyVerifier>[0];

export interface ReconcilerOptions {
  readonly root: string;
  readonly kube: KubeClient;
  readonly sources: ClusterSources;
  readonly servers: Servers;
  readonly retention: RetentionPolicy;
  readonly cachedExternalArtifact: (key: ObjectKey) => ExternalArtifact | undefined;
  /** By default the one that came along. */
  readonly publicRoot?: Outside["publicRoot"];
  /** Asks the servers that certificates name. */
  readonly ask: Outside["ask"];
  readonly announce: Announcer;
  readonly meter: Meter;
  readonly log: Deps["log"];
  readonly settings: Pick<Settings, "intervalJitterPercentage" | "requeueDependencyMs">;
}

/** Everything the reconciler is handed, made from its adapters. To be called by who leads. @throws StorageFailed */
export async function reconcilerDeps(options: ReconcilerOptions, signal: AbortSignal): Promise<Deps> {
  const { root, kube, sources, servers } = options;
  const store = await openStorage({
    root,
    advertisedAddress: servers.advertised,
    retention: options.retention,
    verifyConcurrency,
  });
  await store.sweep(signal);
  return {
    kube,
    sources,
    store,
    verifier: lazyVerifier({ publicRoot: options.publicRoot, ask: options.ask }),
    publishers: {
      oci: ociPublisher(sources, store),
      ...companionPublishers(kube, {
        oci: servers.oci,
        store,
        cached: options.cachedExternalArtifact,
        now: () => new Date(),
      }),
    },
    cachedExternalArtifact: options.cachedExternalArtifact,
    builds: new SharedBuilds(store, sharedBuildEntries),
    scratch: await openScratch(root),
    announce: options.announce,
    meter: options.meter,
    log: options.log,
    settings: { ...reconcileDefaults, ...options.settings, limits: defaultLimits },
    now: () => new Date(),
    random: Math.random,
  };
}
