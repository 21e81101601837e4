import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { installManifest } from "../config/build-install.ts";
import { customResourceDefinition } from "../crds/crd.ts";
import { strataJson } from "./commands.ts";
import { startControlPlane, type ControlPlane } from "./controlplane.ts";
import { installFluxCrds, startKustomizeController, startSourceController } from "./flux.ts";
import { isReady } from "./kube.ts";
import { kubectl } from "./kubectl.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { namespace } from "./repositories.ts";
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

describe("install.yaml by a Kustomization", () => {
  it("survives postBuild substitution in strict mode, byte for byte", async () => {
    await kubectl(plane, ["delete", "crd", crd.name]);
    await installFluxCrds(plane);
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
