import { afterEach, beforeEach, expect, it } from "vitest";
import { artifactRepositories, externalArtifacts, imagePolicies, secrets } from "../../api/kinds.ts";
import { API_VERSION, FINALIZER, KIND } from "../../api/v1beta1/constants.ts";
import type { KubeObject } from "../kube/client.ts";
import { MemoryKube } from "../kube/local/memory.ts";
import { Caches } from "./caches.ts";

const signal = new AbortController().signal;
let kube: MemoryKube;
let stopping: AbortController;
/** `why name` of every wake since the caches were fed. */
let woken: string[];

const at = (name: string, namespace = "default") => ({ namespace, name });
const object = (name: string, spec: object, namespace = "default"): KubeObject & { spec: object } => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name, namespace },
  spec: { url: "oci://r.example/a", interval: "1m", ...spec },
});
const secret = (name: string, namespace = "default"): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace },
});
const policy = (latestRef: object) => ({
  apiVersion: "image.toolkit.fluxcd.io/v1",
  kind: "ImagePolicy",
  metadata: at("policy"),
  status: { latestRef },
});
const companion = (annotations: Record<string, string>, name = "named") => ({
  apiVersion: "source.toolkit.fluxcd.io/v1",
  kind: "ExternalArtifact",
  metadata: {
    ...at(name),
    annotations,
    ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name, uid: "1", controller: true }],
  },
});

beforeEach(async () => {
  kube = new MemoryKube();
  stopping = new AbortController();
  woken = [];
  kube.put(artifactRepositories, object("named", { secretRef: { name: "pull" } }));
  kube.put(
    artifactRepositories,
    object("connected", { certSecretRef: { name: "tls" }, proxySecretRef: { name: "proxy" } }),
  );
  const verify = { provider: "cosign", secretRef: { name: "keys" }, trustedRootSecretRef: { name: "root" } };
  kube.put(artifactRepositories, object("verified", { verify }));
  kube.put(
    artifactRepositories,
    object("pushed", {
      publish: {
        oci: {
          url: "oci://r/x",
          secretRef: { name: "push" },
          certSecretRef: { name: "push-tls" },
          proxySecretRef: { name: "push-proxy" },
          sign: { secretRef: { name: "sign" } },
        },
      },
    }),
  );
  kube.put(artifactRepositories, object("follower", { ref: { imagePolicyRef: { name: "policy" } } }));
  kube.put(artifactRepositories, object("elsewhere", { secretRef: { name: "pull" } }, "other"));
  const keeper = object("keeper", { secretRef: { name: "there" } });
  kube.put(artifactRepositories, { ...keeper, metadata: { ...keeper.metadata, finalizers: [FINALIZER] } });
  kube.put(secrets, secret("there"));
  kube.put(imagePolicies, policy({ tag: "1" }));
  kube.put(externalArtifacts, companion({}));
  const log = (): void => undefined;
  const caches = new Caches({ kube, namespace: undefined, labelSelector: undefined, log }, stopping.signal);
  await caches.synced;
  const wake = ({ name }: { name: string }, why: string): void => void woken.push(`${why} ${name}`);
  caches.feed({
    wake,
    changed: () => undefined,
    published: ({ name }) => void woken.push(`published ${name}`),
    listed: () => undefined,
    deleted: ({ metadata }) => void woken.push(`deleted ${metadata.name}`),
  });
  expect(woken.toSorted()).toEqual(
    ["connected", "elsewhere", "follower", "keeper", "named", "pushed", "verified"].map((name) => `start ${name}`),
  );
  woken.length = 0;
});
afterEach(() => stopping.abort());

it.each<[string, () => unknown, string[]]>([
  ["a Secret to pull with", () => kube.put(secrets, secret("pull")), ["event named"]],
  ["the same in another namespace", () => kube.put(secrets, secret("pull", "other")), ["event elsewhere"]],
  ["a certificate", () => kube.put(secrets, secret("tls")), ["event connected"]],
  ["a proxy", () => kube.put(secrets, secret("proxy")), ["event connected"]],
  ["keys to verify with", () => kube.put(secrets, secret("keys")), ["event verified"]],
  ["a trusted root", () => kube.put(secrets, secret("root")), ["event verified"]],
  ["a Secret to push with", () => kube.put(secrets, secret("push")), ["event pushed"]],
  ["a certificate to push with", () => kube.put(secrets, secret("push-tls")), ["event pushed"]],
  ["a proxy to push through", () => kube.put(secrets, secret("push-proxy")), ["event pushed"]],
  ["a key to sign with", () => kube.put(secrets, secret("sign")), ["event pushed"]],
  ["a Secret that is deleted", () => kube.remove(secrets, at("there")), ["event keeper"]],
  ["a Secret that nobody names", () => kube.put(secrets, secret("more")), []],
  ["the choice of an ImagePolicy", () => kube.put(imagePolicies, policy({ tag: "2" })), ["event follower"]],
  [
    "the choice of an ImagePolicy in another namespace",
    () => kube.put(imagePolicies, { ...policy({ tag: "2" }), metadata: at("policy", "other") }),
    [],
  ],
  [
    "anything else about an ImagePolicy",
    () => kube.put(imagePolicies, { ...policy({ tag: "1" }), status: { latestRef: { tag: "1" }, note: "x" } }),
    [],
  ],
  [
    "an ExternalArtifact whose owner is not known",
    () => kube.put(externalArtifacts, companion({}, "gone")),
    ["published gone"],
  ],
  [
    "an ExternalArtifact that is somebody else's",
    () => {
      const { metadata, ...rest } = companion({}, "strange");
      return kube.put(externalArtifacts, { ...rest, metadata: { ...metadata, ownerReferences: [] } });
    },
    [],
  ],
  ["an ExternalArtifact that is deleted", () => kube.remove(externalArtifacts, at("named")), ["event named"]],
  [
    "a request on an ExternalArtifact",
    () => kube.put(externalArtifacts, companion({ "reconcile.fluxcd.io/requestedAt": "now" })),
    ["event named"],
  ],
  ["anything else about an ExternalArtifact", () => kube.put(externalArtifacts, companion({ a: "b" })), []],
  ["an edit", () => kube.put(artifactRepositories, object("named", { interval: "2m" })), ["edit named"]],
  ["the wish that an object goes", () => kube.delete(artifactRepositories, at("keeper"), {}, signal), ["edit keeper"]],
  ["a new object", () => kube.put(artifactRepositories, object("new", {})), ["event new"]],
  ["an object that goes", () => kube.remove(artifactRepositories, at("named")), ["deleted named"]],
  [
    "a request on the object",
    () =>
      kube.patch(
        artifactRepositories,
        at("named"),
        { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": "now" } } },
        { fieldManager: "test" },
        signal,
      ),
    ["event named"],
  ],
  [
    "a label of the object, which what is published carries",
    () =>
      kube.patch(
        artifactRepositories,
        at("named"),
        { metadata: { labels: { team: "a" } } },
        { fieldManager: "test" },
        signal,
      ),
    ["event named"],
  ],
  [
    "a status that we have written",
    () =>
      kube.patch(
        artifactRepositories,
        at("named"),
        { status: { observedGeneration: 1 } },
        { fieldManager: "test", subresource: "status" },
        signal,
      ),
    [],
  ],
])("%s wakes who depends on it", async (_, change, expected) => {
  await change();
  // The caches have heard of everything before this one.
  kube.put(artifactRepositories, object("zz-last", {}));
  kube.put(secrets, secret("zz-last"));
  await expect.poll(() => woken.includes("event zz-last")).toBe(true);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  expect(woken.filter((line) => line !== "event zz-last")).toEqual(expected);
});
