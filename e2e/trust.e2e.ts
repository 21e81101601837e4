import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { startProxy, type TestProxy } from "../src/testing/registry/proxy.ts";
import { download, type PublishedArtifact } from "./artifact.ts";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { condition, type KubeObject } from "./kube.ts";
import { account, startRegistry, type Registry } from "./registry.ts";
import {
  artifactRepository,
  externalArtifactRef,
  isCondition,
  namespace,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { basicAuth, pullSecret, secret } from "./secrets.ts";
import { startStrata, type Strata } from "./strata.ts";
import { startTokenServer } from "./token-server.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
/** Nobody has these. */
const wrongPassword = `wrong-${randomBytes(12).toString("hex")}`;
const proxyLogin = { username: "proxy-user", password: `proxy-${randomBytes(12).toString("hex")}` };
/** A name that only the proxy knows. */
const internal = "registry.internal.test:5000";

let plane: ControlPlane;
let strata: Strata;
let open: Registry;
let privates: Readonly<Record<"htpasswd" | "token", Registry>>;
let proxy: TestProxy;
let certificates: Readonly<Record<"server" | "client" | "nextServer" | "nextClient", Certificate>>;

beforeAll(async () => {
  ({ plane, registry: open } = await startCluster(workspace, { name: "open" }));
  const tokens = await startTokenServer(workspace, account);
  const [htpasswd, token] = await Promise.all([
    startRegistry(workspace, { name: "htpasswd", storage: open.storage, auth: "htpasswd" }),
    startRegistry(workspace, { name: "token", storage: open.storage, auth: tokens }),
  ]);
  privates = { htpasswd, token };
  proxy = await startProxy({
    login: `${proxyLogin.username}:${proxyLogin.password}`,
    resolve: (host) => (host === internal ? open.host : host),
  });
  workspace.onEnd(() => proxy.close());
  strata = await startStrata(workspace, plane);
});

const app = (name: string, host: string, spec: Spec): KubeObject =>
  artifactRepository(name, { registry: { host }, path: "flux/app" }, { ref: { tag: "1.0.0" }, ...spec });
const ready = async (name: string): Promise<PublishedArtifact> =>
  (await readyRepository(plane, name)).status?.["artifact"] as PublishedArtifact;
const failed = async (name: string, reason: string): Promise<KubeObject> =>
  await plane.admin.waitFor(
    repositoryRef(name),
    reason,
    (object) => isCondition(object, "Ready", "False", reason) && isCondition(object, "FetchFailed", "True", reason),
  );

async function isNotPublished(object: KubeObject): Promise<boolean> {
  return (
    object.status?.["artifact"] === undefined &&
    (await plane.admin.find(externalArtifactRef(object.metadata.name))) === undefined
  );
}

describe.each(["htpasswd", "token"] as const)("a registry with %s", (kind) => {
  it("refuses who brings nothing", async () => {
    await plane.admin.create(app(`${kind}-nobody`, privates[kind].host, {}));
    expect(await isNotPublished(await failed(`${kind}-nobody`, "OCIArtifactPullFailed"))).toBe(true);
  });

  it("is read with the pull secret of secretRef, or of the service account", async () => {
    await plane.admin.create(pullSecret(`${kind}-pull`, [privates[kind].host]));
    await plane.admin.create({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: `${kind}-puller`, namespace },
      imagePullSecrets: [{ name: `${kind}-pull` }],
    });
    await plane.admin.create(app(`${kind}-secret`, privates[kind].host, { secretRef: { name: `${kind}-pull` } }));
    await plane.admin.create(app(`${kind}-account`, privates[kind].host, { serviceAccountName: `${kind}-puller` }));
    expect((await ready(`${kind}-secret`)).digest).toBe((await ready(`${kind}-account`)).digest);
  });

  it("is pushed to with the pull secret of the target", async () => {
    const oci = {
      url: `oci://${privates[kind].host}/pushed/${kind}`,
      insecure: true,
      tags: ["stable"],
      secretRef: { name: `${kind}-pull` },
    };
    await plane.admin.create(app(`${kind}-push`, open.host, { publish: { oci } }));
    await ready(`${kind}-push`);
    const pushed = await fetch(`${open.url}/v2/pushed/${kind}/manifests/stable`, {
      method: "HEAD",
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    expect(pushed.status).toBe(200);
  });

  it("follows a rotated Secret, without a restart and without being asked", async () => {
    const name = `${kind}-rotated`;
    await plane.admin.create(app(name, privates[kind].host, { secretRef: { name } }));
    const missing = condition(await failed(name, "AuthenticationFailed"), "Ready")?.message ?? "";
    expect(missing).toContain(`Secret ${namespace}/${name}`);
    await plane.admin.create(pullSecret(name, [privates[kind].host], wrongPassword));
    await plane.admin.waitFor(
      repositoryRef(name),
      "another refusal",
      (object) =>
        isCondition(object, "Ready", "False", "OCIArtifactPullFailed") &&
        condition(object, "Ready")?.message !== missing,
    );
    await plane.admin.apply(pullSecret(name, [privates[kind].host]));
    const artifact = await ready(name);
    await plane.admin.apply(pullSecret(name, [privates[kind].host], wrongPassword));
    expect((await failed(name, "OCIArtifactPullFailed")).status?.["artifact"]).toEqual(artifact);
    expect(await download(await publishedArtifact(plane, name))).toEqual(await download(artifact));
  });
});

let mutual: Registry;
const trust = (name: string, server: Certificate, client?: Certificate): KubeObject =>
  secret(name, { "ca.crt": server.cert, ...(client && { "tls.crt": client.cert, "tls.key": client.key }) });
const overTls = (name: string, spec: Spec = {}): KubeObject =>
  app(name, mutual.host, { insecure: false, certSecretRef: { name }, ...spec });

describe("a registry with mutual TLS and an authority of its own", () => {
  beforeAll(async () => {
    const names = ["server", "client", "nextServer", "nextClient"] as const;
    certificates = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await makeCertificate(workspace, name)] as const)),
    ) as typeof certificates;
    const { server, client } = certificates;
    mutual = await startRegistry(workspace, {
      name: "mtls",
      storage: open.storage,
      tls: { ...server, clientCaFile: client.certFile },
    });
  });

  it.each<[string, () => KubeObject]>([
    ["no client certificate", () => trust("no-client", certificates.server)],
    ["another client certificate", () => trust("other-client", certificates.server, certificates.nextClient)],
    ["another authority", () => trust("other-authority", certificates.nextServer, certificates.client)],
  ])("is not reached with %s", async (_, makeSecret) => {
    const made = await plane.admin.create(makeSecret());
    await plane.admin.create(overTls(made.metadata.name));
    const object = await plane.admin.waitFor(repositoryRef(made.metadata.name), "the failure", (candidate) =>
      isCondition(candidate, "FetchFailed", "True"),
    );
    expect(condition(object, "Ready")).toMatchObject({ status: "False", reason: "OCIArtifactPullFailed" });
    expect(await isNotPublished(object)).toBe(true);
  });

  it("is read with certSecretRef, also after both sides' certificates were changed", async () => {
    await plane.admin.create(trust("mtls", certificates.server, certificates.client));
    await plane.admin.create(overTls("mtls"));
    const artifact = await ready("mtls");
    await mutual.stop();
    const { nextServer, nextClient } = certificates;
    mutual = await startRegistry(workspace, {
      name: "mtls-next",
      storage: open.storage,
      port: mutual.port,
      tls: { ...nextServer, clientCaFile: nextClient.certFile },
    });
    await reconcileNow(plane, "mtls");
    expect((await failed("mtls", "OCIArtifactPullFailed")).status?.["artifact"]).toEqual(artifact);
    await plane.admin.apply(trust("mtls", nextServer, nextClient));
    expect(await ready("mtls")).toEqual(artifact);
    expect(strata.server.running()).toBe(true);
  });
});

describe("a proxy", () => {
  it("is a tunnel to a registry with mutual TLS", async () => {
    const { nextServer, nextClient } = certificates;
    await plane.admin.create(secret("tunnel", { address: proxy.url, ...proxyLogin }));
    await plane.admin.create(trust("proxied", nextServer, nextClient));
    await plane.admin.create(overTls("proxied", { proxySecretRef: { name: "tunnel" } }));
    await ready("proxied");
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${mutual.host}`]));
  });

  it("reaches a registry that only it knows", async () => {
    await plane.admin.create(secret("proxy", { address: proxy.url, ...proxyLogin }));
    await plane.admin.create(app("behind-proxy", internal, { proxySecretRef: { name: "proxy" } }));
    await ready("behind-proxy");
    expect(proxy.requests.some((request) => request.includes(internal))).toBe(true);
  });

  it("that wants another password is told of, until the Secret is right", async () => {
    await plane.admin.create(
      secret("proxy-wrong", { address: proxy.url, username: proxyLogin.username, password: wrongPassword }),
    );
    await plane.admin.create(app("refused-by-proxy", internal, { proxySecretRef: { name: "proxy-wrong" } }));
    const object = await plane.admin.waitFor(repositoryRef("refused-by-proxy"), "the failure", (candidate) =>
      isCondition(candidate, "FetchFailed", "True"),
    );
    expect(condition(object, "Ready")?.message).toMatch(/proxy/i);
    await plane.admin.apply(secret("proxy-wrong", { address: proxy.url, ...proxyLogin }));
    await ready("refused-by-proxy");
  });
});

describe("what was handed over in confidence", () => {
  it("is in no log, event or object", async () => {
    const keys = [certificates.client.key, certificates.nextClient.key];
    const passwords = [
      account.password,
      wrongPassword,
      proxyLogin.password,
      basicAuth(account.username, account.password),
      basicAuth(account.username, wrongPassword),
      basicAuth(proxyLogin.username, proxyLogin.password),
    ];
    const confidential = [...passwords, ...keys.map((key) => key.split("\n")[1] ?? "")];
    const objects = await Promise.all(
      (["ArtifactRepository", "ExternalArtifact", "Event"] as const).map((kind) => plane.admin.list(kind)),
    );
    const places = {
      log: await strata.server.log(),
      objects: JSON.stringify(objects),
      metrics: await strata.metrics(),
    };
    expect(places.log.split("\n").length).toBeGreaterThan(20);
    expect(objects.map(({ length }) => length)).not.toContain(0);
    for (const text of Object.values(places)) {
      for (const value of confidential) expect(text.includes(value)).toBe(false);
      // Bearer tokens are JSON Web Tokens here.
      expect(text).not.toMatch(/eyJ[\w-]{10,}\./);
    }
  });
});
