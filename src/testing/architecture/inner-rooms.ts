/** A folder, or a file of its own, and everything outside of it that it may use. Lists are exact: what nobody uses goes. */
export interface Room {
  /** One line for newcomers. */
  readonly holds: string;
  /** Other rooms, or single files of them, without suffix. */
  readonly imports: readonly string[];
  /** The same, of types alone, which leave nothing behind at run time. */
  readonly types?: readonly string[];
  readonly packages?: readonly string[];
  /** Modules of Node that reach outside of the process. */
  readonly reaches?: readonly string[];
}

export const innerRooms: Readonly<Record<string, Room>> = {
  // Plain data and rules.
  api: {
    holds: "the types of the custom resource, its schema, and every kind that is read or written",
    imports: [],
    packages: ["zod"],
  },
  "src/errors": {
    holds: "coded errors",
    imports: [],
  },
  "src/flags": {
    holds: "parses flags by a table",
    imports: ["src/errors"],
  },
  package: {
    holds: "the name and the version of the package",
    imports: [],
  },
  "src/version": {
    holds: "Strata's own version",
    imports: ["package"],
  },
  "src/controller-flags": {
    holds: "the flags of `strata-controller`",
    imports: [],
    types: ["src/flags"],
  },
  "src/config": {
    holds: "what the environment says, and every default; the only reader of the environment",
    imports: ["src/controller-flags", "src/flags"],
    types: [
      "src/credentials",
      "src/kube/http",
      "src/kube/report",
      "src/kube/run",
      "src/oci",
      "src/registry",
      "src/serve",
      "src/tuf",
      "src/verify",
    ],
  },
  "src/event-loop-turns": {
    holds: "gives other work of the process its turn",
    imports: [],
  },
  "src/disk": {
    holds: "makes directories",
    imports: [],
    reaches: ["fs"],
  },
  "src/text": {
    holds: "text that is safe to print, and as Kubernetes takes it",
    imports: [],
  },

  // The model. No HTTP, no Kubernetes, no environment.
  "src/oci": {
    holds: "descriptors, manifests, references, the walk; the ports to content",
    imports: ["src/errors", "src/text"],
    types: ["src/sharing"],
  },
  "src/tags": {
    holds: "from tags and a policy to one tag",
    imports: ["src/errors", "src/oci", "src/text", "src/event-loop-turns"],
    packages: ["re2js"],
  },
  "src/select": {
    holds: "which manifests and layers are meant, known layouts, advice",
    imports: ["src/errors", "src/oci", "src/text", "src/event-loop-turns"],
    types: ["src/operation"],
    packages: ["yaml"],
  },
  "src/explore": {
    holds: "reads an artifact for people: trees, referrers",
    imports: ["src/component", "src/errors", "src/oci", "src/select", "src/text/count"],
    packages: ["p-limit"],
  },
  "src/component": {
    holds: "OCM: component descriptors, identities, where resources are, the form that is signed",
    imports: ["src/archive/scanner", "src/errors", "src/oci", "src/text"],
    packages: ["canonicalize", "yaml", "zod"],
  },
  "src/archive": {
    holds: "reads, checks, merges and writes archives",
    imports: ["src/errors", "src/text", "src/event-loop-turns"],
    types: ["src/oci"],
    packages: ["yauzl"],
    reaches: ["fs"],
  },
  "src/operation": {
    holds: "Copy, Extract and ExtractAll: from layers to one file",
    imports: ["src/archive", "src/errors", "src/oci", "src/event-loop-turns"],
    packages: ["p-limit"],
    reaches: ["fs"],
  },

  // Adapters: each knows the model and its own outside world, never another adapter.
  "src/http": {
    holds: "what everything that speaks HTTP shares: aborting, deadlines, failures, certificates of the system",
    imports: ["src/errors"],
    reaches: ["tls"],
  },
  "src/sharing": {
    holds: "what objects share, by the access that each has proved",
    imports: ["src/http"],
    packages: ["lru-cache"],
  },
  "src/registry": {
    holds: "the client of the distribution spec, and layouts on disk",
    imports: ["src/disk", "src/errors", "src/http", "src/oci", "src/sharing", "src/text"],
    types: ["src/credentials/provider"],
    packages: ["ipaddr.js", "lru-cache", "undici"],
    reaches: ["dns", "fs", "net", "tls"],
  },
  "src/credentials": {
    holds: "who asks: Secrets, Docker's config, the clouds",
    imports: ["src/errors", "src/http", "src/sharing", "src/text"],
    packages: ["@aws-sdk/client-ecr", "@aws-sdk/client-ecr-public", "@azure/identity", "google-auth-library"],
    reaches: ["child_process", "fs"],
  },
  "src/verify": {
    holds: "signatures: cosign, notation, OCM",
    imports: [
      "src/component",
      "src/errors",
      "src/event-loop-turns",
      "src/http/abort",
      "src/oci",
      "src/sharing",
      "src/text",
    ],
    types: ["src/http/ask"],
    packages: [
      "@sigstore/bundle",
      "@sigstore/protobuf-specs",
      "@sigstore/tuf",
      "@sigstore/verify",
      "cborg",
      "lru-cache",
      "p-limit",
      "re2js",
    ],
  },
  "src/tuf": {
    holds: "keeps the public Sigstore's trusted root fresh",
    imports: ["src/disk", "src/errors", "src/http", "src/text/json", "src/verify/cosign/trusted-root"],
    packages: ["tuf-js", "undici"],
    reaches: ["fs"],
  },
  "src/kube": {
    holds: "the port to Kubernetes, conditions, clocks",
    imports: ["src/text"],
    types: ["api"],
  },
  "src/kube/http": {
    holds: "the port over HTTP: kubeconfig, connections, watches",
    imports: ["api", "src/errors", "src/http", "src/kube/clock", "src/text"],
    types: ["src/kube/client"],
    packages: ["@kubernetes/client-node", "undici", "yaml"],
    reaches: ["fs"],
  },
  "src/kube/local": {
    holds: "the port in memory and over a directory of manifests",
    imports: ["api", "src/errors", "src/kube/clock", "src/text"],
    types: ["src/kube/client"],
    packages: ["yaml"],
    reaches: ["fs"],
  },
  "src/kube/run": {
    holds: "informer, queue, leader election",
    imports: ["src/errors", "src/kube/clock"],
    types: ["api", "src/kube/client"],
  },
  "src/kube/report": {
    holds: "Kubernetes Events and Flux's notifications",
    imports: ["src/errors", "src/kube/clock", "src/text"],
    types: ["api", "src/kube/client"],
    packages: ["lru-cache"],
  },
  "src/store": {
    holds: "what is on disk: write, verify, keep, delete",
    imports: ["src/disk", "src/errors", "src/oci", "src/text"],
    packages: ["lru-cache", "p-limit"],
    reaches: ["fs"],
  },
  "src/serve": {
    holds: "answers HTTP: artifacts, the OCI endpoint, probes",
    imports: [
      "src/errors",
      "src/oci",
      "src/store/artifact-path",
      "src/store/durable",
      "src/store/state",
      "src/store/stored-image",
    ],
    reaches: ["fs", "https"],
  },
  "src/publish": {
    holds: "makes an artifact known: ExternalArtifact, OCIRepository, a push",
    imports: [
      "api",
      "src/copy/referrers",
      "src/errors",
      "src/http/deadline",
      "src/kube/conditions",
      "src/oci",
      "src/pipeline/derivation",
      "src/pipeline/object",
      "src/pipeline/spec",
      "src/sharing",
      "src/sign",
      "src/store/image-manifest",
      "src/store/store",
      "src/text/json",
    ],
    types: ["src/kube/client", "src/pipeline/ports"],
  },
};
