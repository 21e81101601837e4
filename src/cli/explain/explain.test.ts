import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactRepositories, imagePolicies, secrets, serviceAccounts } from "../../../api/kinds.ts";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus, Condition } from "../../../api/v1beta1/status.ts";
import type { KubeObject } from "../../kube/client.ts";
import { eventResource } from "../../kube/report/events.ts";
import { runStrata, type CommandResult } from "../../testing/command-io.ts";
import { kubeconfig, scratch } from "../../testing/kube/client.ts";
import { startKubeServer, type TestKubeServer } from "../../testing/kube/server.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { consumerKinds } from "./consumers.ts";

const key = { namespace: "apps", name: "app" };
const time = "2026-11-21T04:00:00Z";

let server: TestKubeServer;
let registry: TestRegistry;
let directory: Awaited<ReturnType<typeof scratch>>;
let config: string;
beforeEach(async () => {
  const kinds = [artifactRepositories, eventResource, secrets, serviceAccounts, imagePolicies, ...consumerKinds];
  server = await startKubeServer({ kinds });
  registry = await startRegistry({ fixtures: true });
  directory = await scratch();
  config = await directory.write("config", kubeconfig(server.url));
});
afterEach(async () => {
  await Promise.all([server[Symbol.asyncDispose](), registry.close(), directory[Symbol.asyncDispose]()]);
});

const explain = (...args: string[]): Promise<CommandResult> =>
  runStrata(["explain", "app", ...args], { env: { KUBECONFIG: config } });
const explained = async (): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await explain("-o", "json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
};

const condition = (type: string, status: Condition["status"], reason: string, message = ""): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: time,
});

function put(spec: object, status?: ArtifactRepositoryStatus): void {
  const object: KubeObject & { spec: object; status?: ArtifactRepositoryStatus } = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: key,
    spec: { interval: "10m", insecure: true, ...spec },
    ...(status && { status }),
  };
  server.store.put(artifactRepositories, object);
}

function putConsumer(at: number, name: string, spec: object, status: object = {}, namespace = "apps"): void {
  const { group, version, kind } = consumerKinds[at]!;
  const object: KubeObject & { spec: object; status: object } = {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { namespace, name },
    spec,
    status,
  };
  server.store.put(consumerKinds[at]!, object);
}

const url = (repository: string): string => `oci://${registry.host}/${repository}`;

describe("an object that fails", () => {
  beforeEach(() => {
    put(
      { url: url("product"), ref: { tag: "1.0.0" } },
      {
        observedGeneration: 1,
        conditions: [
          condition("Stalled", "True", "AmbiguousManifest", "several manifests match\n  sha256:1\n  sha256:2"),
          condition("Ready", "False", "AmbiguousManifest", "several manifests match"),
        ],
      },
    );
  });

  it("starts with the cause and the line to change, which works", async () => {
    const { code, stdout } = await explain();
    expect(code).toBe(0);
    const [title, first, second] = stdout.split("\n");
    expect(title).toBe("apps/app is not ready: AmbiguousManifest");
    expect([first, second]).toEqual(["  several manifests match", "    sha256:1"]);
    const change = /What to change, by kubectl -n apps edit artifactrepository app\n((?: {2}.*\n)+)/.exec(stdout)?.[1];
    expect(change).toMatch(/^ {2}spec:\n {4}indexSelector:\n/);
    expect(stdout.indexOf("What to change")).toBeLessThan(stdout.indexOf("Upstream"));
    expect(stdout).toContain("strata reconcile");
  });

  it("is data with the fragment that decides", async () => {
    expect(await explained()).toMatchObject({
      name: "artifactrepository.source.strata.dev/app",
      namespace: "apps",
      cause: { reason: "AmbiguousManifest", change: expect.stringContaining("indexSelector") },
      failure: { code: "AmbiguousManifest", suggestion: { indexSelector: {} } },
      resolved: { tag: "1.0.0", digest: expect.stringMatching(/^sha256:/) },
      selection: null,
    });
  });

  it.each<[string, object, string]>([
    ["a tag that is not there", { ref: { tag: "9.9.9" } }, "NotFound"],
    ["a layer that is not there", { layerSelector: { mediaType: "text/none" }, ref: { tag: "1.0.0" } }, "NoLayerMatch"],
    ["a spec that is refused", { layerSelector: { operation: "Unzip" } }, "InvalidSpec"],
    ["a Secret that is not there", { secretRef: { name: "none" } }, "SecretNotFound"],
    ["a policy that is not there", { ref: { imagePolicyRef: { name: "none" } } }, "DependencyNotReady"],
  ])("of %s is explained as well", async (_, spec, code) => {
    put({ url: url("flux/app"), ...spec }, { observedGeneration: -1 });
    expect(await explained()).toMatchObject({ cause: { reason: code }, failure: { code } });
  });
});

describe("an object that is ready", () => {
  const revision = `1.0.0@sha256:${"6e".repeat(32)}`;
  beforeEach(() => {
    const digest = registry.store.manifest("flux/app", "1.0.0")!.digest;
    put(
      { url: url("flux/app"), ref: { tag: "1.0.0" } },
      {
        observedGeneration: 1,
        conditions: [condition("Ready", "True", "Succeeded", "stored artifact")],
        upstream: { url: url("flux/app"), tag: "1.0.0", digest },
        artifact: { path: "p", url: "http://s/p", revision, digest, size: 1500, lastUpdateTime: time },
        published: [{ kind: "ExternalArtifact", name: "app" }],
      },
    );
  });

  it("shows what was taken and why, what was published, and who reads it", async () => {
    const ready = { conditions: [condition("Ready", "True", "Succeeded", "applied")], lastAppliedRevision: revision };
    putConsumer(0, "web", { sourceRef: { kind: "ExternalArtifact", name: "app" } }, ready);
    putConsumer(0, "old", { sourceRef: { kind: "ExternalArtifact", name: "app" } }, { lastAppliedRevision: "0.9.0" });
    putConsumer(0, "wrong", { sourceRef: { kind: KIND, name: "app" } });
    putConsumer(0, "other", { sourceRef: { kind: "ExternalArtifact", name: "app" } }, {}, "elsewhere");
    putConsumer(0, "far", { sourceRef: { kind: "ExternalArtifact", name: "app", namespace: "apps" } }, {}, "elsewhere");
    putConsumer(1, "chart", { chartRef: { kind: "OCIRepository", name: "app" } });
    putConsumer(2, "parts", { sources: [{ alias: "a", kind: "ExternalArtifact", name: "app" }] });
    const { code, stdout, stderr } = await explain();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const part of [
      /^apps\/app is ready\n/,
      /\+ manifest sha256:\w+ /,
      /\+ {3}layer sha256:/,
      /Extract of 1 layer, as flux/,
      /ExternalArtifact {2}app/,
      /Kustomization apps\/web +spec\.sourceRef: ExternalArtifact +True +1\.0\.0@sha256:6e6e6e6e +applied/,
      /Kustomization apps\/old .*0\.9\.0 \(not this revision\)/,
      /Kustomization apps\/wrong +spec\.sourceRef: write kind: ExternalArtifact/,
      /Kustomization elsewhere\/far/,
      /HelmRelease apps\/chart +spec\.chartRef: OCIRepository/,
      /ArtifactGenerator apps\/parts +spec\.sources\[0\]: ExternalArtifact/,
      /Events\n {2}none/,
    ])
      expect(stdout).toMatch(part);
    expect(stdout).not.toContain("elsewhere/other");
    expect(stdout).not.toContain("What to change");
  });

  it("asks for no other right than reading", async () => {
    await explain();
    expect(server.requests.length).toBeGreaterThan(3);
    expect(server.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  it.each([
    ["events", /\/events/, "Events\n  may not be read"],
    ["consumers", /kustomizations/, "kustomizations of the namespace apps may not be read"],
  ])("does without %s that may not be read, and says so", async (_, path, sentence) => {
    server.faults.add({ path, status: 403, times: 9 });
    const { code, stdout } = await explain();
    expect(code).toBe(0);
    expect(stdout).toContain(sentence);
  });

  it("reads the consumers of its namespace where the others may not be read", async () => {
    putConsumer(0, "web", { sourceRef: { kind: "ExternalArtifact", name: "app" } });
    server.faults.add({ path: /^\/apis\/kustomize[^/]*\/v1\/kustomizations/, status: 403, times: 9 });
    expect((await explained())["consumers"]).toMatchObject([{ name: "web" }]);
  });

  it("says which kinds are not installed", async () => {
    const kinds = [artifactRepositories, eventResource];
    await using bare = await startKubeServer({ kinds, store: server.store });
    config = await directory.write("bare", kubeconfig(bare.url));
    const { stdout } = await explain();
    for (const kind of ["Kustomization", "HelmRelease", "ArtifactGenerator"])
      expect(stdout).toContain(`${kind} is not installed`);
  });

  it("asks with Docker's credentials where its Secrets may not be read", async () => {
    put({ url: url("flux/app"), ref: { tag: "1.0.0" }, secretRef: { name: "regcred" } });
    server.faults.add({ path: /\/secrets/, status: 403, times: 9 });
    expect(await explained()).toMatchObject({
      selection: { operation: "Extract" },
      notes: [expect.stringContaining("may not be read")],
    });
  });

  it("says where a registry that is gone leaves things", async () => {
    await registry.close();
    const { code, stdout } = await explain();
    expect(code).toBe(0);
    expect(stdout).toMatch(/nothing can be taken now: .*\[RegistryUnreachable\]/);
    expect(stdout).toContain(revision);
  });

  it("is a page that runs nothing, in which a stranger's text is only text", async () => {
    const evil = "<script>alert(1)</script>\u001B[31m";
    putConsumer(0, "web", { sourceRef: { kind: "ExternalArtifact", name: "app" } }, { lastAppliedRevision: evil });
    const file = join(directory.path, "page.html");
    const { code, stdout, stderr } = await explain("--html", file);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/^wrote .*page\.html\nopen it in a browser/);
    const page = await readFile(file, "utf8");
    expect(page).toContain("default-src 'none'");
    expect(page).not.toContain("<script");
    expect(page).not.toContain("\u001B");
    expect(page).toContain("&lt;script&gt;");
    expect(page).toContain('<h1 class="good">apps/app is ready</h1>');
  });
});

it.each([[[]], [["a", "b"]], [["a", "--html", "x", "-o", "json"]]])("takes no %j", async (args) => {
  expect((await runStrata(["explain", ...args], { env: { KUBECONFIG: config } })).code).toBe(2);
  expect(server.requests).toEqual([]);
});
