import type { FlagSpec } from "./flags.ts";

/** Flags of `strata-controller`: names, defaults and meanings are source-controller's where it has them. */
export const controllerFlags = {
  "storage-path": {
    type: "string",
    default: "/data",
    env: "STORAGE_PATH",
    description: "directory where artifacts are stored",
  },
  "storage-addr": {
    type: "string",
    default: ":9090",
    env: "STORAGE_ADDR",
    description: "address the artifact server listens on",
  },
  "storage-adv-addr": {
    type: "string",
    default: "",
    env: "STORAGE_ADV_ADDR",
    description:
      "address other controllers reach the artifact server at; default: the host's name and the port of --storage-addr",
  },
  "storage-cert-dir": {
    type: "string",
    default: "",
    description: "directory with tls.crt and tls.key for the artifact server, as a mounted Secret; empty: plain HTTP",
  },
  "oci-endpoint-addr": {
    type: "string",
    default: "",
    description: "address of the read-only OCI endpoint over the stored artifacts; empty: off",
  },
  "oci-endpoint-adv-addr": {
    type: "string",
    default: "",
    description: "address other controllers reach the OCI endpoint at",
  },
  "oci-endpoint-cert-dir": {
    type: "string",
    default: "",
    description: "directory with tls.crt and tls.key for the OCI endpoint, as a mounted Secret; empty: plain HTTP",
  },
  concurrent: {
    type: "integer",
    default: 4,
    description: "how many objects are worked on at once; those that wait for a registry give way",
  },
  "watch-all-namespaces": {
    type: "boolean",
    default: true,
    description: "watch every namespace; false: only the one the controller runs in",
  },
  "watch-label-selector": {
    type: "string",
    default: "",
    description: "watch only objects with matching labels, e.g. sharding.fluxcd.io/key=shard1",
  },
  "metrics-addr": { type: "string", default: ":8080", description: "address of /metrics" },
  "health-addr": { type: "string", default: ":9440", description: "address of /healthz and /readyz" },
  "events-addr": {
    type: "string",
    default: "",
    description: "URL of Flux's notification-controller; empty: no events are sent there",
  },
  "log-level": { type: "string", default: "info", description: "trace, debug, info or error" },
  "log-encoding": { type: "string", default: "json", description: "json or console" },
  "enable-leader-election": { type: "boolean", default: false, description: "let only one replica reconcile" },
  "leader-election-release-on-cancel": {
    type: "boolean",
    default: true,
    description: "give the lease up at a graceful stop",
  },
  "leader-election-lease-duration": {
    type: "duration",
    default: "15s",
    description: "how long a standby waits before it takes a lease over",
  },
  "leader-election-renew-deadline": {
    type: "duration",
    default: "10s",
    description: "how long the leader tries to renew before it stops",
  },
  "leader-election-retry-period": {
    type: "duration",
    default: "2s",
    description: "pause between attempts on the lease",
  },
  "artifact-retention-ttl": {
    type: "duration",
    default: "60s",
    description: "how long a superseded artifact stays in storage",
  },
  "artifact-retention-records": {
    type: "integer",
    default: 2,
    description: "how many artifacts are kept for an object",
  },
  "interval-jitter-percentage": {
    type: "integer",
    default: 5,
    description: "random spread of intervals, in percent, so that objects do not reconcile all at once",
  },
  "requeue-dependency": {
    type: "duration",
    default: "30s",
    description: "how soon an object is tried again that waits for another",
  },
  "min-retry-delay": { type: "duration", default: "750ms", description: "first pause after a failure" },
  "max-retry-delay": { type: "duration", default: "15m", description: "longest pause after repeated failures" },
  "kube-api-qps": { type: "integer", default: 500, description: "requests a second to the Kubernetes API" },
  "kube-api-burst": {
    type: "integer",
    default: 1000,
    description: "requests to the Kubernetes API that may exceed --kube-api-qps for a moment",
  },
  "no-cross-namespace-refs": {
    type: "boolean",
    default: true,
    description: "accepted for compatibility; cross-namespace references are never possible",
  },
  "default-service-account": {
    type: "string",
    default: "",
    description: "service account whose workload identity is used by objects with a cloud provider that name none",
  },
  "sigstore-tuf": {
    type: "boolean",
    default: true,
    description:
      "refresh the trusted root of the public Sigstore by TUF, once a day while something is verified by it; false: trust the one that this version came with",
  },
  "sigstore-tuf-mirror": {
    type: "string",
    default: "https://tuf-repo-cdn.sigstore.dev",
    description: "URL of the TUF repository that the trusted root comes from",
  },
  "sigstore-tuf-root": {
    type: "string",
    default: "",
    description:
      "file with the root.json by which the mirror is trusted; empty: that of the public Sigstore. With one of another Sigstore, nothing is trusted before the first refresh has worked",
  },
  "graceful-shutdown-timeout": {
    type: "duration",
    default: "30s",
    description: "how long stopping may take after SIGTERM, for running work and for downloads by others",
  },
  kubeconfig: {
    type: "string",
    default: "",
    env: "KUBECONFIG",
    description: "kubeconfig file; default: the pod's service account",
  },
} as const satisfies Record<string, FlagSpec>;
