import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { installManifest } from "../config/build-install.ts";
import { customResourceDefinition } from "../crds/crd.ts";
import { findBinary } from "./binaries.ts";
import { strataJson } from "./commands.ts";
import { startControlPlane, type ControlPlane } from "./controlplane.ts";
import { installFluxCrds, startKustomizeController, startSourceController } from "./flux.ts";
import { isReady, type KubeObject } from "./kube.ts";
import { kubectl } from "./kubectl.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { digestOfTag } from "./crane.ts";
import { pushFixtures } from "./push.ts";
import { artifactRepository, namespace, readyRepository } from "./repositories.ts";
import type { Server } from "./server.ts";
import { startStrata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;
/** A directory with install.yaml, and the file. */
let dir: string;
let file: string;

beforeAll(async () => {
  [plane, registry] = await Promise.all([startControlPlane(workspace), startRegistry(workspace)]);
  dir = join(await workspace.directory("install"), "manifests");
  file = join(dir, "install.yaml");
  await mkdir(dir);
  await writeFile(file, installManifest());
  await installFluxCrds(plane);
  await pushFixtures(registry);
});

const crd = { kind: "CustomResourceDefinition", name: customResourceDefinition().metadata.name } as const;

describe("install.yaml by kubectl", () => {
  it("is applied once, and is unchanged from then on", async () => {
    await kubectl(plane, ["apply", "-f", file]);
    const lines = (await kubectl(plane, ["apply", "-f", file])).trim().split("\n");
    expect(lines.filter((line) => !line.endsWith(" unchanged"))).toEqual([]);
    expect(lines.length).toBeGreaterThan(8);
  });

  it("does not conflict with server-side apply, and leaves no difference", async () => {
    await kubectl(plane, ["apply", "--server-side", "-f", file]);
    // It exits with 1 where something differs, which throws.
    expect(await kubectl(plane, ["diff", "--server-side", "-f", file])).toBe("");
  });

  it("explains the fields", async () => {
    const text = await kubectl(plane, ["explain", "artifactrepository.spec.layerSelector.operation"]);
    expect(text).toContain("ENUM");
    expect(text).toContain("`ExtractAll`: every selected layer in one tree.");
  });
});

describe("install.yaml is deleted while its controller runs", () => {
  const source = { ref: { tag: "1.0.0" } };
  const target = (name: string): string => `${registry.host}/removed/${name}`;
  const pushing = (name: string): object => ({ oci: { url: `oci://${target(name)}`, insecure: true, tags: ["kept"] } });
  const names = (prefix: string): readonly string[] => [1, 2, 3].map((at) => `${prefix}-${at}`);

  /** What config/README.md says, in its first or second block on removing. */
  async function asWritten(block: 1 | 2): Promise<void> {
    const page = await readFile(join(import.meta.dirname, "../config/README.md"), "utf8");
    const [, text = ""] = [...page.matchAll(/^```sh\n(.*?)^```/gms)][block - 1] ?? [];
    expect(text).toContain("kubectl");
    const script = text.replace("dist/", "").replace("--ignore-not-found", "--ignore-not-found --wait=false");
    const path = `${dirname(await findBinary("kubectl"))}:${process.env["PATH"]}`;
    await promisify(execFile)("bash", ["-euc", script], {
      cwd: dir,
      env: { PATH: path, KUBECONFIG: plane.kubeconfig },
    });
  }

  /** What kube-controller-manager does, which does not run here. */
  async function finalizeNamespace(): Promise<void> {
    const ref = { kind: "Namespace", name: "strata-system" } as const;
    const object = await plane.admin.find(ref);
    if (object?.metadata["deletionTimestamp"] === undefined) return;
    const path = join(dir, "..", "namespace.json");
    await writeFile(path, JSON.stringify({ ...object, spec: { finalizers: [] } }));
    await kubectl(plane, ["replace", "--raw", `/api/v1/namespaces/${ref.name}/finalize`, "-f", path]);
  }

  const deleteAll = async (): Promise<void> => void (await kubectl(plane, ["delete", "-f", file, "--wait=false"]));
  const crdGone = async (): Promise<unknown> =>
    await eventually("the CRD gone", async () => (await plane.admin.find(crd)) === undefined);

  async function install(...objects: readonly KubeObject[]): Promise<void> {
    await kubectl(plane, ["apply", "-f", file]);
    const { server } = await startStrata(workspace, plane, { name: `strata-${objects[0]?.metadata.name}` });
    running = server;
    for (const object of objects) await plane.admin.create(object);
    for (const { metadata } of objects) await readyRepository(plane, metadata.name);
  }

  let running: Server | undefined;
  afterEach(async () => {
    await running?.kill();
    await finalizeNamespace();
  });

  it("takes all objects along that push nothing", async () => {
    await install(...names("plain").map((name) => artifactRepository(name, { registry, path: "flux/app" }, source)));
    await deleteAll();
    await crdGone();
  });

  it("takes back what was pushed where the CRD is deleted first", async () => {
    await install(
      ...names("first").map((name) =>
        artifactRepository(name, { registry, path: "flux/app" }, { ...source, publish: pushing(name) }),
      ),
    );
    for (const name of names("first")) expect(await digestOfTag(`${target(name)}:kept`)).toBeDefined();
    await asWritten(1);
    await crdGone();
    for (const name of names("first")) expect(await digestOfTag(`${target(name)}:kept`)).toBeUndefined();
  });

  it("is done with once objects that push are let go by hand, where all was deleted at once", async () => {
    await install(
      ...names("once").map((name) =>
        artifactRepository(name, { registry, path: "flux/app" }, { ...source, publish: pushing(name) }),
      ),
    );
    await deleteAll();
    await running?.kill();
    await asWritten(2);
    await crdGone();
  });
});

describe("install.yaml by a Kustomization", () => {
  it("survives postBuild substitution in strict mode, byte for byte", async () => {
    await startSourceController(workspace, plane);
    await startKustomizeController(workspace, plane, ["StrictPostBuildSubstitutions"]);
    await strataJson(["bundle", "-f", dir, "-t", `oci://${registry.host}/install:1.0.0`, "--insecure"]);
    await plane.admin.create({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "OCIRepository",
      metadata: { name: "strata", namespace },
      spec: { url: `oci://${registry.host}/install`, ref: { tag: "1.0.0" }, interval: "1h", insecure: true },
    });
    await plane.admin.create({
      apiVersion: "kustomize.toolkit.fluxcd.io/v1",
      kind: "Kustomization",
      metadata: { name: "strata", namespace },
      spec: {
        interval: "1h",
        retryInterval: "2s",
        sourceRef: { kind: "OCIRepository", name: "strata" },
        path: "./",
        prune: true,
        force: true,
        postBuild: { substitute: { cluster_name: "test" } },
      },
    });
    await plane.admin.waitFor({ kind: "Kustomization", namespace, name: "strata" }, "ready", isReady, 60_000);
    const stored = await plane.admin.get(crd);
    const schema = customResourceDefinition().spec.versions[0]!.schema;
    expect(stored.spec?.["versions"][0].schema).toEqual(JSON.parse(JSON.stringify(schema)));
  });
});
