import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { pushArtifact } from "./push.ts";
import type { Registry } from "./registry.ts";
import {
  artifactRepository,
  configMap,
  kustomization,
  namespace,
  readyRepository,
  repositoryRef,
} from "./repositories.ts";
import { startStrata, strata, type CommandResult } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const strataFile = fileURLToPath(new URL("../dist/strata.js", import.meta.url));
let plane: ControlPlane;
let registry: Registry;
beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  await startStrata(workspace, plane);
  const file = (name: string) => ({
    mediaType: `application/vnd.example.${name}`,
    bytes: Buffer.from(configMap(name, { from: name })),
    annotations: { "org.opencontainers.image.title": `${name}.yaml` },
  });
  await pushArtifact(registry, "explain/one", "1.0.0", {
    artifactType: "application/vnd.example.one",
    layers: [file("one")],
  });
  const from = (path: string) => ({ registry, path });
  await plane.admin.create(artifactRepository("fine", from("explain/one"), { ref: { tag: "1.0.0" } }));
  await plane.admin.create(artifactRepository("torn", from("product"), { ref: { tag: "1.0.0" } }));
  await plane.admin.create(kustomization("fine", "./"));
  await readyRepository(plane, "fine");
  await plane.admin.waitFor(repositoryRef("torn"), "stalled", ({ status }) =>
    JSON.stringify(status ?? {}).includes("AmbiguousManifest"),
  );
});

const asAdmin = (...args: string[]): Promise<CommandResult> => strata(args, { KUBECONFIG: plane.kubeconfig });

describe("strata explain", () => {
  it("shows what was taken, who reads it and what happened last", async () => {
    const { code, stdout, stderr } = await asAdmin("explain", "fine", "-n", namespace);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^default\/fine is ready\n/);
    expect(stdout).toMatch(/\+ {3}layer sha256:/);
    expect(stdout).toMatch(/ExternalArtifact +fine/);
    expect(stdout).toMatch(/Kustomization default\/fine +spec\.sourceRef: ExternalArtifact/);
    expect(stdout).toMatch(/Events\n {2}.*ago/);
  });

  it("begins with the line to change, and that line mends the object", async () => {
    const { code, stdout } = await asAdmin("explain", "torn", "-n", namespace);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^default\/torn is not ready: AmbiguousManifest\n/);
    const change = /What to change, by .*\n((?: {2}.*\n)+)/.exec(stdout)?.[1] ?? "";
    await plane.admin.patch(repositoryRef("torn"), parse(change) as object);
    await readyRepository(plane, "torn");
    expect((await asAdmin("explain", "torn", "-n", namespace)).stdout).toMatch(/^default\/torn is ready\n/);
  });

  it("needs no right but reading, and says what it could not read", async () => {
    await plane.admin.create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reader", namespace } });
    await plane.admin.create({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "reader", namespace },
      rules: [{ apiGroups: ["source.strata.dev"], resources: ["artifactrepositories"], verbs: ["get"] }],
    });
    await plane.admin.create({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "reader", namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", name: "reader", namespace }],
    });
    await plane.admin.patch(repositoryRef("fine"), { spec: { secretRef: { name: "unreadable" } } });
    const kubeconfig = await plane.kubeconfigFor(namespace, "reader");
    const { code, stdout } = await strata(["explain", "fine", "-n", namespace], { KUBECONFIG: kubeconfig });
    await plane.admin.patch(repositoryRef("fine"), { spec: { secretRef: null } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/What could not be read\n(?: {2}.*\n)*? {2}the Secrets of this object may not be read/);
    expect(stdout).toMatch(/kustomizations of the namespace default may not be read/);
    expect(stdout).toMatch(/Events\n {2}may not be read/);
    expect(stdout).toMatch(/\+ {3}layer sha256:/);
  });
});

describe("strata get", () => {
  it("follows what happens with --watch, until it is stopped", async () => {
    const child = spawn(process.execPath, [strataFile, "get", "-n", namespace, "--watch"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], KUBECONFIG: plane.kubeconfig },
    });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString("utf8")));
    const closed = once(child, "close");
    try {
      await eventually("the table", () => Promise.resolve(/^fine .*True/m.test(printed)));
      const before = printed.length;
      await plane.admin.patch(repositoryRef("fine"), { spec: { suspend: true } });
      await eventually("the change", () => Promise.resolve(/^fine +\S* +True/m.test(printed.slice(before))));
      await plane.admin.patch(repositoryRef("fine"), { spec: { suspend: null } });
    } finally {
      child.kill("SIGINT");
      await closed;
    }
    expect(child.exitCode).toBe(130);
  });

  it("takes several names, and a context that does not check the certificate with a warning", async () => {
    const config = parse(await readFile(plane.kubeconfig, "utf8")) as { clusters: { cluster: object }[] };
    for (const one of config.clusters) {
      const { "certificate-authority-data": _, ...rest } = one.cluster as Record<string, unknown>;
      one.cluster = { ...rest, "insecure-skip-tls-verify": true };
    }
    const file = join(await workspace.directory("unchecked"), "kubeconfig");
    await writeFile(file, JSON.stringify(config));
    const args = ["get", "fine", "torn", "-n", namespace, "--context", "e2e", "-o", "name"];
    const { code, stdout, stderr } = await strata(args, { KUBECONFIG: file });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "artifactrepository.source.strata.dev/fine\nartifactrepository.source.strata.dev/torn\n",
    });
    expect(stderr).toMatch(/^warning: cluster e2e has insecure-skip-tls-verify/);
  });
});
