import { beforeAll, describe, expect, it } from "vitest";
import { download } from "./artifact.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startControlPlane } from "./controlplane.ts";
import { installFluxCrds } from "./flux.ts";
import { condition } from "./kube.ts";
import { pushFixtures } from "./push.ts";
import type { Registry } from "./registry.ts";
import { startRegistry } from "./registry.ts";
import {
  artifactRepository,
  isCondition,
  namespace,
  publishedArtifact,
  readyRepository,
  repositoryRef,
} from "./repositories.ts";
import { installStrata, startStrata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  [plane, registry] = await Promise.all([startControlPlane(workspace), startRegistry(workspace)]);
  await Promise.all([installStrata(plane), pushFixtures(registry)]);
});

async function create(name: string): Promise<void> {
  await plane.admin.create(artifactRepository(name, { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } }));
}

describe("a cluster without Flux", () => {
  it("is told so on the condition, and needs nothing but Flux to go on", async () => {
    const controller = await startStrata(workspace, plane, { name: "early" });
    await create("early");
    const object = await plane.admin.waitFor(repositoryRef("early"), "not published", (found) =>
      isCondition(found, "Published", "False", "CRDMissing"),
    );
    expect(condition(object, "Ready")).toMatchObject({
      status: "False",
      reason: "CRDMissing",
      message: expect.stringContaining("install Flux"),
    });
    expect(condition(object, "ArtifactInStorage")).toMatchObject({ status: "True" });
    await installFluxCrds(plane);
    await readyRepository(plane, "early", 45_000);
    await download(await publishedArtifact(plane, "early"));
    await plane.admin.delete(repositoryRef("early"));
    await eventually("its deletion", async () => (await plane.admin.find(repositoryRef("early"))) === undefined);
    await controller.server.stop();
  });
});

describe("a controller of one namespace", () => {
  it("needs the same rules in that namespace alone", async () => {
    await installFluxCrds(plane);
    await plane.admin.delete({ kind: "ClusterRoleBinding", name: "strata-controller" });
    await plane.admin.apply({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "strata-controller", namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "strata-controller" },
      subjects: [{ kind: "ServiceAccount", name: "strata-controller", namespace: "strata-system" }],
    });
    const controller = await startStrata(workspace, plane, {
      name: "namespaced",
      flags: ["--watch-all-namespaces=false"],
      env: { RUNTIME_NAMESPACE: namespace },
    });
    await create("in-namespace");
    await readyRepository(plane, "in-namespace");
    expect((await publishedArtifact(plane, "in-namespace")).url).toContain(controller.address);
    expect(await controller.server.log()).not.toMatch(/forbidden|AccessDenied/i);
  });
});
