import { generateKeyPairSync } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { beforeAll, describe, expect, it } from "vitest";
import { download, filesOfTarball, type PublishedArtifact } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startSourceController } from "./flux.ts";
import { condition, hasArtifact } from "./kube.ts";
import { listenOnLoopback } from "./loopback.ts";
import { pushArtifact } from "./push.ts";
import type { Registry } from "./registry.ts";
import { account, startRegistry } from "./registry.ts";
import {
  artifactRepository,
  configMap,
  externalArtifactRef,
  isCondition,
  namespace,
  ociRepositoryRef,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
} from "./repositories.ts";
import { freePort } from "./server.ts";
import { startStrata, type Strata } from "./strata.ts";
import { eventually, throughout } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;
let controller: Strata;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  const flags = [`--oci-endpoint-addr=127.0.0.1:${await freePort()}`, `--events-addr=${await startReceiver()}`];
  controller = await startStrata(workspace, plane, { flags });
  await startSourceController(workspace, plane);
});

interface Notification {
  readonly involvedObject: { readonly kind: string; readonly name: string };
  readonly severity: string;
  readonly reason: string;
  readonly reportingController: string;
}

const notifications: Notification[] = [];

/** Takes events as notification-controller does. Returns its URL. */
async function startReceiver(): Promise<string> {
  const server = createServer((request, response) => {
    void json(request).then((event) => notifications.push(event as Notification));
    request.on("end", () => response.writeHead(202).end());
  });
  return `http://${await listenOnLoopback(workspace, server)}/`;
}

const from = (path: string) => ({ registry, path });

/** Content that no other push has. */
async function push(path: string, tag: string, text: string): Promise<string> {
  const layers = [
    {
      mediaType: "application/yaml",
      bytes: Buffer.from(configMap("content", { text })),
      annotations: { "org.opencontainers.image.title": "content.yaml" },
    },
  ];
  return (await pushArtifact(registry, path, tag, { artifactType: "application/vnd.example.manifests", layers }))
    .digest;
}

async function upstreamOf(name: string): Promise<string> {
  return (await plane.admin.get(repositoryRef(name))).status?.["upstream"]?.digest as string;
}

async function storedFiles(name: string): Promise<readonly string[]> {
  return await readdir(join(controller.storage, "artifactrepository", namespace, name)).catch(() => []);
}

async function manifestStatus(path: string, reference: string): Promise<number> {
  const response = await fetch(`${registry.url}/v2/${path}/manifests/${reference}`, {
    method: "HEAD",
    headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
  });
  return response.status;
}

describe("a suspended object", () => {
  it("is left alone, and catches up when it is resumed", async () => {
    const first = await push("ops/suspended", "1.0.0", "one");
    await plane.admin.create(
      artifactRepository("suspended", from("ops/suspended"), { ref: { tag: "1.0.0" }, interval: "1s" }),
    );
    await readyRepository(plane, "suspended");
    await plane.admin.patch(repositoryRef("suspended"), { spec: { suspend: true } });
    // The reconcile under way may still end.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const second = await push("ops/suspended", "1.0.0", "two");
    await plane.admin.patch(repositoryRef("suspended"), {
      metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": "while suspended" } },
    });
    await throughout("the first artifact stays", async () => (await upstreamOf("suspended")) === first, 2500, 250);
    // So far as kstatus, and so `wait: true` of a Kustomization, is concerned there is nothing to wait for.
    const { metadata, status } = await plane.admin.get(repositoryRef("suspended"));
    expect(status).toMatchObject({
      observedGeneration: metadata.generation,
      lastHandledReconcileAt: "while suspended",
    });
    await plane.admin.patch(repositoryRef("suspended"), { spec: { suspend: null } });
    await eventually("the second artifact", async () => (await upstreamOf("suspended")) === second);
  });
});

describe("a request to reconcile", () => {
  it("is honoured on the ArtifactRepository and on its ExternalArtifact", async () => {
    await push("ops/requested", "1.0.0", "one");
    await plane.admin.create(artifactRepository("requested", from("ops/requested"), { ref: { tag: "1.0.0" } }));
    await readyRepository(plane, "requested");
    const second = await push("ops/requested", "1.0.0", "two");
    expect((await reconcileNow(plane, "requested")).status).toMatchObject({ upstream: { digest: second } });
    const third = await push("ops/requested", "1.0.0", "three");
    await plane.admin.patch(externalArtifactRef("requested"), {
      metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": "by a receiver" } },
    });
    await eventually("the third artifact", async () => (await upstreamOf("requested")) === third);
  });
});

describe("an ExternalArtifact", () => {
  it("that is deleted is made again", async () => {
    await plane.admin.create(artifactRepository("remade", from("flux/app"), { ref: { tag: "1.0.0" } }));
    await readyRepository(plane, "remade");
    const before = await publishedArtifact(plane, "remade");
    await plane.admin.delete(externalArtifactRef("remade"));
    expect(await eventually("the ExternalArtifact", () => publishedArtifact(plane, "remade"))).toEqual(before);
  });

  it("of somebody else is not touched, which the condition says", async () => {
    const foreign = await plane.admin.create({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "ExternalArtifact",
      metadata: { name: "foreign", namespace },
      spec: { sourceRef: { apiVersion: "apps.example/v1", kind: "Composition", name: "foreign" } },
    });
    await plane.admin.create(artifactRepository("foreign", from("flux/app"), { ref: { tag: "1.0.0" } }));
    const object = await plane.admin.waitFor(repositoryRef("foreign"), "not published", (found) =>
      isCondition(found, "Published", "False", "NotOwned"),
    );
    expect(condition(object, "Ready")).toMatchObject({ status: "False", reason: "NotOwned" });
    await plane.admin.delete(repositoryRef("foreign"));
    await eventually("its deletion", async () => (await plane.admin.find(repositoryRef("foreign"))) === undefined);
    expect(await plane.admin.get(externalArtifactRef("foreign"))).toEqual(foreign);
  });
});

describe("an object with nothing new", () => {
  it("costs one request to the registry for each interval, and no write", async () => {
    await push("ops/quiet", "1.0.0", "one");
    await plane.admin.create(artifactRepository("quiet", from("ops/quiet"), { ref: { tag: "1.0.0" }, interval: "1s" }));
    await readyRepository(plane, "quiet");
    const requests = async () =>
      (await registry.requests()).filter(
        ({ path }) => path.startsWith("/v2/ops/quiet/") && !path.includes("/uploads/"),
      );
    const reconciles = async () =>
      Number(
        /gotk_reconcile_duration_seconds_count\{[^}]*name="quiet"[^}]*\} (\d+)/.exec(await controller.metrics())?.[1] ??
          0,
      );
    const versions = async () => [
      (await plane.admin.get(repositoryRef("quiet"))).metadata.resourceVersion,
      (await plane.admin.get(externalArtifactRef("quiet"))).metadata.resourceVersion,
      await eventsOf("quiet"),
    ];
    const before = { requests: await requests(), reconciles: await reconciles(), versions: await versions() };
    await eventually("five reconciles", async () => (await reconciles()) >= before.reconciles + 5);
    const after = { requests: await requests(), reconciles: await reconciles() };
    const made = after.requests.slice(before.requests.length);
    expect(new Set(made.map(({ method, path, status }) => `${method} ${path} ${status}`))).toEqual(
      new Set(["HEAD /v2/ops/quiet/manifests/1.0.0 200"]),
    );
    // The two were not read at the same moment.
    expect(Math.abs(made.length - (after.reconciles - before.reconciles))).toBeLessThanOrEqual(1);
    expect(await versions()).toEqual(before.versions);
    await plane.admin.delete(repositoryRef("quiet"));
  });
});

async function eventsOf(name: string): Promise<string> {
  const events = (await plane.admin.list("Event", namespace)).filter(
    (event) => (event["involvedObject"] as { name: string }).name === name,
  );
  return events
    .map((event) => JSON.stringify([event["type"], event["reason"], event["count"]]))
    .sort()
    .join();
}

describe("what is published elsewhere", () => {
  it("is pushed with its tags, and read by source-controller byte for byte", async () => {
    const oci = { url: `oci://${registry.host}/published/product`, insecure: true, tags: ["{tag}", "stable"] };
    const publish = { externalArtifact: {}, ociRepository: {}, oci };
    await plane.admin.create(
      artifactRepository("pushed", from("product"), {
        ref: { tag: "1.0.0" },
        indexSelector: { artifactType: "application/vnd.cncf.flux.config.v1+json" },
        publish,
      }),
    );
    await readyRepository(plane, "pushed");
    const repository = await plane.admin.waitFor(ociRepositoryRef("pushed"), "ready", hasArtifact);
    const read = repository.status?.["artifact"] as PublishedArtifact;
    const ours = await publishedArtifact(plane, "pushed");
    expect(read.digest).toBe(ours.digest);
    expect(await filesOfTarball(await download(read))).toEqual(await filesOfTarball(await download(ours)));
    for (const tag of ["1.0.0", "stable"]) expect(await manifestStatus("published/product", tag)).toBe(200);
  });

  it("can be read from the controller's own registry", async () => {
    await plane.admin.create(
      artifactRepository("embedded", from("oras/files"), {
        ref: { tag: "1.0.0" },
        publish: { externalArtifact: {}, ociRepository: {} },
      }),
    );
    await readyRepository(plane, "embedded");
    const repository = await plane.admin.waitFor(ociRepositoryRef("embedded"), "ready", hasArtifact);
    expect(repository.status?.["artifact"]).toMatchObject({
      digest: (await publishedArtifact(plane, "embedded")).digest,
    });
  });

  it("is gone once the object is deleted", async () => {
    const rows = (await plane.admin.get(repositoryRef("pushed"))).status?.["published"] as
      { kind: string; digest: string }[] | undefined;
    const row = rows?.find(({ kind }) => kind === "OCIArtifact");
    expect(await storedFiles("pushed")).not.toEqual([]);
    const { url } = await publishedArtifact(plane, "pushed");
    await plane.admin.delete(repositoryRef("pushed"));
    for (const ref of [repositoryRef("pushed"), externalArtifactRef("pushed"), ociRepositoryRef("pushed")]) {
      await eventually(`the end of ${ref.kind}`, async () => (await plane.admin.find(ref)) === undefined);
    }
    expect(await storedFiles("pushed")).toEqual([]);
    expect((await fetch(url)).status).toBe(404);
    for (const reference of [row?.digest ?? "", "1.0.0", "stable"])
      expect(await manifestStatus("published/product", reference)).toBe(404);
    await eventually("the end of its metrics", async () => !(await controller.metrics()).includes('name="pushed"'));
  });
});

describe("a private registry", () => {
  const wrong = "not-the-password-7f3a";
  const auth = (password: string) => Buffer.from(`${account.username}:${password}`).toString("base64");

  async function putSecret(host: string, password: string): Promise<void> {
    const config = JSON.stringify({ auths: { [host]: { auth: auth(password) } } });
    await plane.admin.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "regcred", namespace },
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": Buffer.from(config).toString("base64") },
    });
  }

  it("is read with a Secret that may come late, be wrong and be rotated", async () => {
    const locked = await startRegistry(workspace, {
      name: "private-registry",
      storage: registry.storage,
      auth: "htpasswd",
    });
    const refused = async (reason: string) =>
      await plane.admin.waitFor(
        repositoryRef("private"),
        reason,
        (object) => isCondition(object, "Ready", "False", reason) && isCondition(object, "FetchFailed", "True"),
      );
    await plane.admin.create(
      artifactRepository(
        "private",
        { registry: locked, path: "flux/app" },
        { ref: { tag: "1.0.0" }, secretRef: { name: "regcred" } },
      ),
    );
    expect(condition(await refused("AuthenticationFailed"), "Ready")?.message).toContain("regcred");
    await putSecret(locked.host, wrong);
    await plane.admin.waitFor(repositoryRef("private"), "refused, with the Secret and its entry named", (object) =>
      /401.*Secret default\/regcred.*entry/s.test(condition(object, "Ready")?.message ?? ""),
    );
    await putSecret(locked.host, account.password);
    await readyRepository(plane, "private", 10_000);
    const { digest } = await publishedArtifact(plane, "private");
    await putSecret(locked.host, wrong);
    await refused("OCIArtifactPullFailed");
    expect((await publishedArtifact(plane, "private")).digest).toBe(digest);
    await download(await publishedArtifact(plane, "private"));
    await putSecret(locked.host, account.password);
    await readyRepository(plane, "private", 10_000);
  });

  it("leaves no secret in logs, events or objects", async () => {
    const kubeconfig = await readFile(await plane.kubeconfigFor("strata-system", "strata-controller"), "utf8");
    const secrets = [
      wrong,
      account.password,
      auth(wrong),
      auth(account.password),
      /"token":"([^"]+)"/.exec(kubeconfig)?.[1] ?? "no token",
    ];
    const places = [
      await controller.server.log(),
      ...(await Promise.all(
        (["Event", "ArtifactRepository", "ExternalArtifact"] as const).map(async (kind) =>
          JSON.stringify(await plane.admin.list(kind)),
        ),
      )),
    ];
    expect(places.every((text) => text.length > 1000)).toBe(true);
    for (const secret of secrets) expect(places.map((text) => text.includes(secret))).toEqual(places.map(() => false));
  });
});

describe("a signature", () => {
  const putKey = async (key: string) =>
    await plane.admin.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "cosign-keys", namespace },
      data: { "release.pub": Buffer.from(key).toString("base64") },
    });

  it("is demanded, shown to consumers, and judged anew when the key changes", async () => {
    await putKey(await readFile(new URL("../src/testing/fixtures/cosign.pub", import.meta.url), "utf8"));
    await plane.admin.create(
      artifactRepository("signed", from("signed/bundle"), {
        ref: { tag: "1.0.0" },
        verify: { provider: "cosign", secretRef: { name: "cosign-keys" } },
      }),
    );
    expect(condition(await readyRepository(plane, "signed"), "SourceVerified")).toMatchObject({
      status: "True",
      reason: "Succeeded",
    });
    expect(condition(await plane.admin.get(externalArtifactRef("signed")), "SourceVerified")).toMatchObject({
      status: "True",
    });
    await putKey(
      generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" }).toString(),
    );
    const refused = await plane.admin.waitFor(repositoryRef("signed"), "refused", (object) =>
      isCondition(object, "SourceVerified", "False", "VerificationError"),
    );
    expect(condition(refused, "Ready")?.status).toBe("False");
    await download(await publishedArtifact(plane, "signed"));
  });
});

describe("the controller", () => {
  it("answers probes, and counts under Flux's names", async () => {
    expect([await controller.probe("/healthz"), await controller.probe("/readyz")]).toEqual([200, 200]);
    const metrics = await controller.metrics();
    expect(metrics).toMatch(
      /^gotk_reconcile_duration_seconds_bucket\{le="\+Inf",kind="ArtifactRepository",name="requested",namespace="default"\} [1-9]/m,
    );
    expect(metrics).toMatch(
      /^gotk_resource_info\{customresource_group="source.strata.dev",customresource_version="v1beta1",customresource_kind="ArtifactRepository",namespace="default",name="requested",ready="True",stalled="false",suspended="false",/m,
    );
    for (const name of [
      "controller_runtime_reconcile_total",
      "controller_runtime_reconcile_errors_total",
      "workqueue_depth",
      "leader_election_master_status",
      "strata_registry_requests_total",
      "strata_downloaded_bytes_total",
      "strata_stage_duration_seconds_bucket",
    ]) {
      expect(metrics).toMatch(new RegExp(`^${name}\\{?.* [0-9.e+-]+$`, "m"));
    }
  });

  it("records events as source-controller does", async () => {
    const events = (await plane.admin.list("Event", namespace)).filter(
      (event) => (event["involvedObject"] as { kind: string }).kind === "ArtifactRepository",
    );
    const summaries = events.map(
      (event) =>
        `${String(event["type"])} ${String(event["reason"])} ${(event["source"] as { component: string }).component} ${(event["involvedObject"] as { name: string }).name}`,
    );
    expect(summaries).toContain("Normal NewArtifact strata-controller requested");
    expect(summaries).toContain("Warning AuthenticationFailed strata-controller private");
  });

  it("was never refused what it needs, nor failed inside", async () => {
    const log = await controller.server.log();
    expect(log).not.toMatch(/forbidden|AccessDenied|"code":"Internal"/i);
  });

  it("tells Flux's notification-controller of what is new", async () => {
    const alerts = notifications.map(
      ({ involvedObject, reason, severity, reportingController }) =>
        `${severity} ${reason} ${involvedObject.kind}/${involvedObject.name} by ${reportingController}`,
    );
    expect(alerts).toContain("info NewArtifact ExternalArtifact/requested by strata-controller");
    expect(alerts).toContain("error AuthenticationFailed ExternalArtifact/private by strata-controller");
    expect(JSON.stringify(notifications)).not.toContain(account.password);
  });

  it("stops in peace", async () => {
    expect(await controller.server.stop()).toBe(0);
  });
});
