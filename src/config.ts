import { hostname } from "node:os";
import { join } from "node:path";
import type { AzureEnvironment } from "./credentials/azure.ts";
import { controllerFlags } from "./controller-flags.ts";
import { parseFlags, type FlagValues } from "./flags.ts";
import type { KubeTuning } from "./kube/http/connect.ts";
import type { InCluster } from "./kube/http/kubeconfig.ts";
import type { EventLimits } from "./kube/report/events.ts";
import type { NotificationLimits } from "./kube/report/notification.ts";
import type { InformerTuning } from "./kube/run/informer.ts";
import type { Limits } from "./oci/limits.ts";
import type { RegistryClientOptions } from "./registry/client.ts";
import type { ServerLimits } from "./serve/listen.ts";
import type { TufLimits } from "./tuf/refresh.ts";
import type { VerifyLimits } from "./verify/limits.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** Generous for real artifacts, small enough that no single artifact can exhaust the machine. */
export const defaultLimits: Limits = Object.freeze({
  maxManifestBytes: 4 * MiB,
  maxManifests: 1000,
  maxWalkBytes: 16 * MiB,
  maxIndexDepth: 8,
  maxLayerBytes: 8 * GiB,
  maxExpandedBytes: 16 * GiB,
  maxEntries: 200_000,
  maxNameBytes: 4096,
  maxRatio: 200,
  ratioFloorBytes: 64 * MiB,
  maxTags: 200_000,
});

/** How registries are spoken to; the caller adds the proxy environment and hooks. */
export const registryDefaults = Object.freeze({
  userAgent: "strata",
  connectionsPerHost: 16,
  connectTimeoutMs: 10_000,
  keepAliveMs: 60_000,
  retry: Object.freeze({ attempts: 5, baseMs: 200, maxMs: 10_000, maxWaitMs: 15_000 }),
  pace: Object.freeze({ leastBytesPerSecond: 4096, windowMs: 15_000, graceMs: 60_000 }),
  maxRedirects: 8,
  uploadChunkBytes: 64 * MiB,
  maxMaterials: 256,
} satisfies RegistryClientOptions);

/**
 * What the command line does without a flag. It waits as long for a registry as a spec without `timeout`, and as long for the
 * controller as flux.
 */
export const cliDefaults = Object.freeze({
  timeoutMs: 60_000,
  reconcileTimeout: "5m",
  /** The namespace of an object that is written. */
  namespace: "default",
  interval: "10m",
  /** How many tags are shown. */
  tags: "20",
  serve: Object.freeze({ address: "127.0.0.1:9090", concurrent: "4" }),
  sigstoreTufMirror: controllerFlags["sigstore-tuf-mirror"].default,
  pollMs: 500,
  /** How long a command that was stopped may take to clean up. */
  stopGraceMs: 3000,
});

/** How the artifact server and the OCI endpoint protect themselves. */
export const serverLimits = Object.freeze({
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 95_000,
  slowClientMs: 30_000,
  minBytesPerSecond: 1024,
  maxConnections: 4096,
  maxConnectionsPerAddress: 2048,
  maxAhead: 32,
  maxAheadInAll: 1024,
  maxHeaderBytes: 8 * 1024,
  maxRequestsPerConnection: 1000,
} satisfies ServerLimits);

/** The same for probes and metrics, which a few clients ask for small answers. */
export const probeLimits = Object.freeze({
  ...serverLimits,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 15_000,
  slowClientMs: 10_000,
  maxConnections: 128,
  maxConnectionsPerAddress: 96,
  maxAhead: 4,
  maxAheadInAll: 64,
} satisfies ServerLimits);

/** What the reconciler is not told by flags. */
export const reconcileDefaults = Object.freeze({ progressAfterMs: 2000, orphanPauseMs: 5000, spreadAfterStart: 0.5 });

/** The reconciler without a cluster, which has no flags for these: as the controller's flags have them, but for a shorter stop. */
export const standaloneDefaults = Object.freeze({
  backoff: Object.freeze({ baseMs: 750, maxMs: 15 * 60_000 }),
  retention: Object.freeze({ ttlMs: 60_000, records: 2 }),
  settings: Object.freeze({ intervalJitterPercentage: 5, requeueDependencyMs: 5000 }),
  graceMs: 2000,
});

/** How the time to stop is shared; see `Replica`. Events that wait are sent within `eventsMs`. */
export const stopDefaults = Object.freeze({ reconcilesShare: 0.8, leastMs: 1000, eventsMs: 2000 });

/** How many builds are remembered for objects that ask for the same. */
export const sharedBuildEntries = 1000;

/** What is kept of what was read from registries. */
export const sharedReadsDefaults = Object.freeze({
  maxReferences: 5000,
  maxTagCharacters: 32 * MiB,
  maxManifestBytes: 32 * MiB,
});

/** How many stored files are hashed at once; more would only compete for the disk. */
export const verifyConcurrency = 2;

/** A signature is some kilobytes; artifacts carry a handful. */
export const verifyLimits: VerifyLimits = Object.freeze({
  maxSignatures: 50,
  maxSignatureBytes: 1 * MiB,
  maxTotalBytes: 32 * MiB,
  cacheEntries: 10_000,
  cacheTtlMs: 60 * 60_000,
  ocsp: Object.freeze({ timeoutMs: 2000, maxBytes: 20 * 1024 }),
  revocationList: Object.freeze({ timeoutMs: 5000, maxBytes: 32 * MiB }),
  listsAtOnce: 3,
  revocationCache: Object.freeze({ maxSize: 64 * MiB, ttl: 60 * 60_000 }),
});

/** How the public Sigstore's trusted root is kept fresh: a refresh is about ten requests and 50 KiB. */
export const tufDefaults: TufLimits = Object.freeze({
  refreshMs: 24 * 60 * 60_000,
  retryMs: 60 * 60_000,
  waitMs: 5000,
  timeoutMs: 30_000,
  maxBytes: 16 * MiB,
  maxTargetBytes: 1 * MiB,
  maxRotations: 64,
  maxRedirects: 4,
});

/** How the Kubernetes API is spoken to. An API server gives up on a request after a minute, and sends bookmarks every one or two. */
export const kubeDefaults = Object.freeze({
  connections: 16,
  connectTimeoutMs: 10_000,
  keepAliveMs: 55_000,
  materialMs: 60_000,
  timeoutMs: 65_000,
  watchIdleMs: 240_000,
  watchSeconds: Object.freeze({ min: 300, max: 600 }),
  retry: Object.freeze({ attempts: 4, baseMs: 100, maxMs: 2_000, maxWaitMs: 5_000 }),
  pageSize: 500,
  maxObjectBytes: 16 * MiB,
  maxPageBytes: 256 * MiB,
} satisfies KubeTuning);

/** How an informer comes back, and how often it looks for a kind that is missing. */
export const informerDefaults = Object.freeze({
  minBackoffMs: 1000,
  maxBackoffMs: 10_000,
  missingPollMs: 30_000,
} satisfies InformerTuning);

/** Cloud credentials live for hours and take a few requests; a credential helper may have to ask a person. */
export const credentialDefaults = Object.freeze({
  cloud: Object.freeze({ timeoutMs: 30_000, cacheEntries: 10_000 }),
  helperTimeoutMs: 60_000,
});

/** As client-go limits events: 25 at once for an object, then one every five minutes. */
export const eventLimits: EventLimits = Object.freeze({
  maxPending: 1000,
  attempts: 4,
  baseMs: 1000,
  maxMs: 10_000,
  burst: 25,
  refillMs: 5 * 60_000,
  maxRemembered: 4096,
});

/** As Flux sends to notification-controller, which itself takes an event for a duplicate for five minutes. */
export const notificationLimits: NotificationLimits = Object.freeze({
  maxPending: 1000,
  attempts: 5,
  baseMs: 1000,
  maxMs: 30_000,
  timeoutMs: 5000,
  duplicateMs: 5 * 60_000,
  maxRemembered: 4096,
});

/** What the command line takes from the environment; this file alone reads environment variables. */
export interface CliEnvironment {
  /** Directory of Docker's config.json. */
  readonly dockerConfigDir: string;
  readonly kubeconfig: string;
  readonly proxy: ProxyEnvironment;
  /** `never` by NO_COLOR or a dumb terminal, `always` by FORCE_COLOR. */
  readonly color: "auto" | "always" | "never";
  /** COLUMNS, where somebody has set it; undefined leaves it to the terminal. */
  readonly columns: number | undefined;
  /** PATH for credential helpers. */
  readonly path: string;
  readonly home: string;
  /** Where Strata keeps what can be fetched again. */
  readonly cacheDir: string;
  /** False: nobody is asked for the trusted root of the public Sigstore, unless a flag says so. */
  readonly sigstoreTuf: boolean;
  /** Password of an encrypted signing key, as cosign reads it; undefined where none is set. */
  readonly signingPassword: string | undefined;
}

/** The standard proxy variables; lower case wins, as in curl and Go. */
export interface ProxyEnvironment {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

export function proxyFromEnv(env: Env): ProxyEnvironment {
  const pick = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  return { httpProxy: pick("HTTP_PROXY"), httpsProxy: pick("HTTPS_PROXY"), noProxy: pick("NO_PROXY") };
}

/** See no-color.org and force-color.org; who wants none is heard first. */
function colorFromEnv(env: Env): CliEnvironment["color"] {
  if (env["NO_COLOR"]) return "never";
  const force = env["FORCE_COLOR"];
  if (force) return force === "0" || force === "false" ? "never" : "always";
  return env["TERM"] === "dumb" ? "never" : "auto";
}

/** Where each system has caches of programs. */
function cacheRoot(env: Env, home: string): string {
  if (process.platform === "win32") return env["LOCALAPPDATA"] || join(home, "AppData", "Local");
  if (process.platform === "darwin") return join(home, "Library", "Caches");
  return env["XDG_CACHE_HOME"] || join(home, ".cache");
}

export function cliEnvironment(env: Env = process.env): CliEnvironment {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
  return Object.freeze({
    home,
    cacheDir: join(cacheRoot(env, home), "strata"),
    sigstoreTuf: !["false", "0"].includes(env["STRATA_SIGSTORE_TUF"] ?? ""),
    dockerConfigDir: env["DOCKER_CONFIG"] || join(home, ".docker"),
    kubeconfig: env["KUBECONFIG"] || join(home, ".kube", "config"),
    proxy: proxyFromEnv(env),
    color: colorFromEnv(env),
    columns: /^[1-9]\d{0,3}$/.test(env["COLUMNS"] ?? "") ? Number(env["COLUMNS"]) : undefined,
    path: env["PATH"] ?? "",
    signingPassword: env["COSIGN_PASSWORD"],
  });
}

/** Everything the controller is told from outside, frozen. */
export interface ControllerConfig {
  readonly flags: FlagValues<typeof controllerFlags>;
  /** Namespace the controller runs in (events, lease, `--watch-all-namespaces=false`). */
  readonly runtimeNamespace: string;
  readonly hostname: string;
  readonly proxy: ProxyEnvironment;
  /** The pod's way to the API server, where no kubeconfig is given. */
  readonly inCluster: InCluster;
  /** From the Azure workload identity webhook. The SDKs of the other clouds read their variables themselves. */
  readonly azure: AzureEnvironment;
}

/** @throws InvalidSpec for a wrong flag or value */
export function controllerConfig(argv: readonly string[], env: Env = process.env): ControllerConfig {
  return Object.freeze({
    flags: Object.freeze(parseFlags(controllerFlags, argv, env)),
    runtimeNamespace: env["RUNTIME_NAMESPACE"] || env["POD_NAMESPACE"] || "flux-system",
    hostname: env["HOSTNAME"] || hostname(),
    proxy: proxyFromEnv(env),
    inCluster: inClusterFrom(env),
    azure: {
      clientId: env["AZURE_CLIENT_ID"] || undefined,
      tenantId: env["AZURE_TENANT_ID"] || undefined,
      federatedTokenFile: env["AZURE_FEDERATED_TOKEN_FILE"] || undefined,
      authorityHost: env["AZURE_AUTHORITY_HOST"] || undefined,
    },
  });
}

/** Every pod has these variables and files; outside of one, there is no server. */
export function inClusterFrom(env: Env): InCluster {
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const server =
    host === "" ? "" : `https://${host.includes(":") ? `[${host}]` : host}:${env["KUBERNETES_SERVICE_PORT"] || "443"}`;
  return { server, directory: "/var/run/secrets/kubernetes.io/serviceaccount" };
}
