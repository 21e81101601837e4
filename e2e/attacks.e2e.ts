import { createServer, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tarball } from "./content.ts";
import { startProxy, type TestProxy } from "../src/testing/registry/proxy.ts";
import { startRegistry as startTestRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";
import { download, type PublishedArtifact } from "./artifact.ts";
import { createNamespaces, startPlane } from "./cluster.ts";
import { type ControlPlane } from "./controlplane.ts";
import { digestOfTag } from "./crane.ts";
import { condition, isReady, type KubeObject } from "./kube.ts";
import { listenOnLoopback } from "./loopback.ts";
import { fluxArtifact, pushArtifact } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { artifactRepository, isCondition, reconcileNow, type Spec } from "./repositories.ts";
import { pullSecret, secret } from "./secrets.ts";
import { startStrata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

/** Attacks by one tenant on another, on the shipped bundle and a real API server. Each was seen to work once. */

const workspace = await openWorkspace();
/** The victim and the attacker. */
const [a, b] = ["team-a", "team-b"] as const;

let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  [plane, registry] = await Promise.all([startPlane(workspace), startRegistry(workspace)]);
  await createNamespaces(plane, [a, b]);
  await startStrata(workspace, plane, { flags: ["--concurrent=2"] });
});

const within = (namespace: string, object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace },
});
const ref = (namespace: string, name: string, kind: "ArtifactRepository" | "ExternalArtifact" = "ArtifactRepository") =>
  ({ kind, namespace, name }) as const;
const create = async (namespace: string, name: string, from: { host: string; path: string }, spec: Spec = {}) =>
  await plane.admin.create(
    within(
      namespace,
      artifactRepository(name, { registry: from, path: from.path }, { ref: { tag: "1.0.0" }, ...spec }),
    ),
  );
const ready = async (namespace: string, name: string, timeoutMs?: number): Promise<KubeObject> =>
  await plane.admin.waitFor(ref(namespace, name), "ready", isReady, timeoutMs);
const artifactOf = (object: KubeObject): PublishedArtifact => object.status?.["artifact"] as PublishedArtifact;
const push = async (path: string, seed: string, to = registry) =>
  await pushArtifact(to, path, "1.0.0", fluxArtifact(await tarball({ seed, files: 2, fileBytes: 2000 })));

const reconcile = async (namespace: string, name: string): Promise<KubeObject> =>
  await reconcileNow(plane, name, namespace);

describe("a tenant's own proxy that names another's digest", () => {
  const path = "team-a/secret";
  let locked: Registry;
  let impostor: TestRegistry;
  let proxy: TestProxy;

  beforeAll(async () => {
    const root = await push(path, "what A alone may read");
    locked = await startRegistry(workspace, { name: "locked", auth: "htpasswd", storage: registry.storage });
    impostor = await startTestRegistry();
    proxy = await startProxy({ resolve: () => impostor.host });
    impostor.store.putArtifact(path, {
      tag: "1.0.0",
      ...fluxArtifact(await tarball({ seed: "B's own", files: 1, fileBytes: 100 })),
    });
    await plane.admin.create(within(a, pullSecret("pull", [locked.host])));
    await plane.admin.create(within(b, secret("proxy", { address: proxy.url })));
    await create(b, "stolen", { host: locked.host, path }, { proxySecretRef: { name: "proxy" } });
    await ready(b, "stolen");
    await create(a, "secret", { host: locked.host, path }, { secretRef: { name: "pull" } });
    await ready(a, "secret");
    impostor.faults.add({
      method: "HEAD",
      path: /manifests\/1\.0\.0/,
      status: 200,
      headers: {
        "docker-content-digest": root.digest,
        "content-type": root.mediaType,
        "content-length": String(root.size),
      },
      times: 1000,
    });
  });
  afterAll(async () => {
    await proxy.close();
    await impostor.close();
  });

  it("gets nothing of what the other has built, and keeps its own", async () => {
    const before = artifactOf(await plane.admin.get(ref(b, "stolen")));
    const object = await reconcile(b, "stolen");
    expect(isReady(object)).toBe(false);
    expect(artifactOf(object).digest).toBe(before.digest);
    const published = await plane.admin.get(ref(b, "stolen", "ExternalArtifact"));
    expect(artifactOf(published).digest).toBe(before.digest);
    const stolen = await download(artifactOf(published));
    const secretBytes = await download(artifactOf(await plane.admin.get(ref(a, "secret"))));
    expect(stolen.equals(secretBytes)).toBe(false);
  });

  it("gets nothing for a new object either", async () => {
    await create(b, "again", { host: locked.host, path }, { proxySecretRef: { name: "proxy" }, ref: { tag: "1.0.0" } });
    const object = await plane.admin.waitFor(
      ref(b, "again"),
      "an end",
      (found) => condition(found, "Ready") !== undefined && condition(found, "Ready")?.status !== "Unknown",
    );
    const { digest } = artifactOf(await plane.admin.get(ref(a, "secret")));
    expect(artifactOf(object)?.digest).not.toBe(digest);
  });
});

describe("a tenant whose work is slow", () => {
  const path = "shared/app";
  /** Answers the first request for a blob with nothing, for ever. */
  let host: string;
  let stalled = 0;

  beforeAll(async () => {
    await push(path, "shared");
    await push("small/app", "small");
    const server = createServer((incoming, response) => {
      const isBlob = incoming.method === "GET" && incoming.url?.includes("/blobs/") === true;
      if (isBlob && stalled++ === 0) return;
      const { method, url, headers } = incoming;
      const upstream = request({ host: "127.0.0.1", port: registry.port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      upstream.on("error", () => response.destroy());
      incoming.pipe(upstream);
    });
    host = await listenOnLoopback(workspace, server);
    await create(b, "slow", { host, path }, { timeout: "50s" });
    await eventually("the download to stall", async () => await Promise.resolve(stalled > 0));
  });

  it("does not hold what asks for the same beyond its own timeout", async () => {
    await create(a, "shared", { host, path }, { timeout: "5s" });
    await ready(a, "shared", 20_000);
    expect(isReady(await plane.admin.get(ref(b, "slow")))).toBe(false);
  });

  it("takes no worker with those who wait for it", async () => {
    for (const name of ["w1", "w2", "w3", "w4"]) await create(b, name, { host, path }, { timeout: "60s" });
    await create(a, "other", { host: registry.host, path: "small/app" });
    await ready(a, "other", 15_000);
  });
});

describe("a tenant with a timeout of 1 ms", () => {
  it("fails nobody else who asks for the same", async () => {
    const path = "hasty/app";
    await push(path, "hasty");
    for (let number = 0; number < 6; number += 1)
      await create(b, `hasty-${number}`, { host: registry.host, path }, { timeout: "1ms", interval: "5s" });
    await create(a, "patient", { host: registry.host, path });
    await ready(a, "patient", 15_000);
    for (let round = 0; round < 5; round += 1) expect(isReady(await reconcile(a, "patient"))).toBe(true);
  });
});

describe("an alias where upstream's own tag stands", () => {
  const path = "upstream/app";
  const oci = (host: string): Spec => ({ url: `oci://${host}/${path}`, insecure: true, tags: ["1.0.0"], retain: 1 });

  it("is refused at admission in the repository that is read, however it is spelled", async () => {
    const upper = registry.host.replace("127.0.0.1", "LOCALHOST");
    for (const [name, url] of [
      ["same", registry.host],
      ["spelled", upper],
    ] as const) {
      const from = { host: url.toLowerCase(), path };
      await expect(create(b, name, from, { publish: { oci: oci(url) } })).rejects.toThrow(/publish\.oci\.tags/);
    }
  });

  it("is not moved, also where the host has two names, and stays when the object goes", async () => {
    const { digest } = await push(path, "upstream");
    const alias = registry.host.replace("127.0.0.1", "localhost");
    await create(b, "alias", { host: registry.host, path }, { publish: { oci: oci(alias) } });
    const object = await plane.admin.waitFor(ref(b, "alias"), "refused", (found) =>
      isCondition(found, "Published", "False", "NotOwned"),
    );
    expect(condition(object, "Published")?.message).toContain(`${alias}/${path}:1.0.0 points at ${digest}`);
    await plane.admin.delete(ref(b, "alias"));
    await expect.poll(async () => await plane.admin.find(ref(b, "alias")), { timeout: 20_000 }).toBeUndefined();
    expect(await digestOfTag(`${registry.host}/${path}:1.0.0`)).toBe(digest);
  });

  it("of another namespace's object is not moved, and one's own is", async () => {
    await push("source/app", "source");
    const target = { url: `oci://${registry.host}/published/both`, insecure: true, tags: ["stable"] };
    const from = { host: registry.host, path: "source/app" };
    await create(a, "owner", from, { publish: { oci: target } });
    await ready(a, "owner");
    const digest = await digestOfTag(`${registry.host}/published/both:stable`);
    await create(b, "intruder", from, { publish: { oci: target } });
    const object = await plane.admin.waitFor(ref(b, "intruder"), "refused", (found) =>
      isCondition(found, "Published", "False", "NotOwned"),
    );
    expect(condition(object, "Published")?.message).toContain("artifactrepository/team-a/owner");
    await plane.admin.delete(ref(b, "intruder"));
    await expect.poll(async () => await plane.admin.find(ref(b, "intruder")), { timeout: 20_000 }).toBeUndefined();
    expect(await digestOfTag(`${registry.host}/published/both:stable`)).toBe(digest);
    await push("source/app", "source, newer");
    expect(isReady(await reconcile(a, "owner"))).toBe(true);
    expect(await digestOfTag(`${registry.host}/published/both:stable`)).not.toBe(digest);
  });
});
