import type { ExternalArtifact } from "../../api/flux/source.ts";
import { defaultLimits, reconcileDefaults, serverLimits, sharedBuildEntries, verifyConcurrency } from "../config.ts";
import type { Announcer, Deps, Meter, Settings } from "../controller/ports.ts";
import { SharedBuilds } from "../pipeline/shared-builds.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import type { RetentionPolicy } from "../store/retention.ts";
import { artifactHandler } from "../serve/artifact-server.ts";
import { ociHandler } from "../serve/oci-endpoint.ts";
import { advertisedAddress, listen, type Certificate, type HttpServer } from "../serve/listen.ts";
import type { ArtifactPath } from "../store/artifact-path.ts";
import { openStorage } from "../store/storage.ts";
import { KIND } from "../../api/v1beta1/constants.ts";
import { companionPublishers } from "../publish/companion-publishers.ts";
import { ociPublisher } from "../publish/oci-publisher.ts";
import type { EmbeddedEndpoint } from "../publish/oci-repository.ts";
import { openScratch } from "../pipeline/scratch.ts";
import { lazyVerifier } from "../pipeline/verify-policy.ts";
import type { ClusterSources } from "../pipeline/sources.ts";

export interface ServerOptions {
  readonly root: string;
  readonly address: string;
  /** "" is the host's name and the port that is listened on. */
  readonly advertised: string;
  readonly hostname: string;
  /** The artifact server speaks HTTPS with it; without it, plain HTTP. */
  readonly certificate?: (() => Certificate) | undefined;
  readonly oci:
    { readonly address: string; readonly advertised: string; readonly certificate?: () => Certificate } | undefined;
  /** Whether this process may answer: it holds the files that count. */
  readonly ready: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly onMissing?: (path: ArtifactPath) => void;
}

/** The artifact server and, where it is asked for, the OCI endpoint. */
export interface Servers {
  /** `host:port` under which consumers find the artifacts; with `https://` where that is spoken. */
  readonly advertised: string;
  readonly oci: EmbeddedEndpoint | undefined;
  close(graceMs: number): Promise<void>;
}

/** @throws StorageFailed, InvalidSpec (address) */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { root, ready, hostname, onMissing } = options;
  const running: HttpServer[] = [];
  const start = async (
    handler: Parameters<typeof listen>[0],
    address: string,
    advertised: string,
    certificate?: () => Certificate,
  ): Promise<string> => {
    const server = await listen(handler, {
      address,
      limits: serverLimits,
      onError: options.onError,
      ...(certificate && { certificate }),
    });
    running.push(server);
    return advertisedAddress(advertised, address, { hostname, port: server.port });
  };
  try {
    const advertised = await start(
      artifactHandler({ root, ready, onMissing }),
      options.address,
      options.advertised,
      options.certificate,
    );
    const { oci } = options;
    const endpoint = ociHandler({ root, kind: KIND, ready, onMissing });
    const ociAddress = oci && (await start(endpoint, oci.address, oci.advertised, oci.certificate));
    return {
      advertised: options.certificate && !advertised.includes("://") ? `https://${advertised}` : advertised,
      oci: ociAddress === undefined ? undefined : { address: ociAddress, insecure: oci?.certificate === undefined },
      close: async (graceMs) => void (await Promise.all(running.map((server) => server.close(graceMs)))),
    };
  } catch (error) {
    await Promise.all(running.map((server) => server.close(0)));
    throw error;
  }
}

export interface ReconcilerOptions {
  readonly root: string;
  readonly kube: KubeClient;
  readonly sources: ClusterSources;
  readonly servers: Servers;
  readonly retention: RetentionPolicy;
  readonly cachedExternalArtifact: (key: ObjectKey) => ExternalArtifact | undefined;
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
    verifier: lazyVerifier(),
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
