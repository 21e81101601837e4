import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { download, filesOfTarball, type PublishedArtifact } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startKustomizeController, startSourceController } from "./flux.ts";
import { condition, hasArtifact, isReady } from "./kube.ts";
import { digestOf } from "./push.ts";
import type { Registry } from "./registry.ts";
import {
  artifactRepository,
  isCondition,
  kustomization,
  namespace,
  ociRepositoryRef,
  publishedArtifact,
  readyRepository,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { secret } from "./secrets.ts";
import { freePort } from "./server.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const components = "fx/component-descriptors/fx.example";
/** The chart in the component version, as its layer lies in the registry. */
const chart = "sha256:de1a0298f059019f9cda3c995aca99f512d934c756c46b853e58c803c2f13a7d";
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  await startStrata(workspace, plane, { flags: [`--oci-endpoint-addr=127.0.0.1:${await freePort()}`] });
  await Promise.all([startSourceController(workspace, plane), startKustomizeController(workspace, plane)]);
  const key = await readFile(new URL("../src/testing/fixtures/ocm.pub", import.meta.url), "utf8");
  const other = await readFile(new URL("../src/testing/fixtures/cosign.pub", import.meta.url), "utf8");
  await plane.admin.create(secret("ocm-keys", { "ocm.pub": key }));
  await plane.admin.create(secret("other-keys", { "other.pub": other }));
});

const signed = { verify: { provider: "ocm", signature: "default", secretRef: { name: "ocm-keys" } } };

async function reconciled(name: string, resource: Spec, more: Spec = {}): Promise<PublishedArtifact> {
  const spec = { ref: { semver: ">=1.0.0" }, component: { resource }, ...more };
  await plane.admin.create(artifactRepository(name, { registry, path: `${components}/app` }, spec));
  return (await readyRepository(plane, name)).status?.["artifact"] as PublishedArtifact;
}

describe("a component version that ocm made and signed", () => {
  it("gives a directory, which kustomize-controller applies", async () => {
    const artifact = await reconciled("ocm-manifests", { name: "manifests" }, signed);
    expect(artifact.metadata).toMatchObject({ "software.ocm.component": "fx.example/app:1.0.0" });
    const object = await plane.admin.get(repositoryRef("ocm-manifests"));
    expect(condition(object, "SourceVerified")?.message).toContain("ocm signature of key ocm.pub");
    expect(object.status?.["component"]).toMatchObject({ name: "fx.example/app", resource: { name: "manifests" } });
    await plane.admin.create(kustomization("ocm-manifests", "./"));
    await plane.admin.waitFor({ kind: "Kustomization", namespace, name: "ocm-manifests" }, "applied", isReady);
    const applied = await plane.admin.get({ kind: "ConfigMap", namespace, name: "fx-app" });
    expect(applied["data"]).toEqual({ greeting: "hello" });
  });

  it("gives its chart byte for byte, which source-controller reads from the embedded endpoint", async () => {
    const publish = { externalArtifact: {}, ociRepository: {} };
    const artifact = await reconciled("ocm-chart", { name: "helm" }, { ...signed, publish });
    expect(artifact.digest).toBe(chart);
    const read = await plane.admin.waitFor(ociRepositoryRef("ocm-chart"), "read", hasArtifact);
    const pulled = (read.status ?? {})["artifact"] as PublishedArtifact;
    expect(pulled.digest).toBe(chart);
    expect(digestOf(await download(pulled))).toBe(chart);
  });

  it("leads to a resource of another component version, told by its identity", async () => {
    const component = { path: [{ name: "lib" }], resource: { name: "defaults" } };
    await reconciled("ocm-defaults", {}, { ...signed, component });
    expect(Object.keys(await filesOfTarball(await download(await publishedArtifact(plane, "ocm-defaults"))))).toEqual([
      "defaults.yaml",
    ]);
  });

  it.each<[string, Spec, string]>([
    ["an identity that several resources have", { component: { resource: { name: "config" } } }, "AmbiguousResource"],
    ["a resource that is not there", { component: { resource: { name: "nothing" } } }, "NoResourceMatch"],
    [
      "a key that no OCM signature is by",
      {
        verify: { ...signed.verify, secretRef: { name: "other-keys" } },
        component: { resource: { name: "manifests" } },
      },
      "VerificationError",
    ],
    ["a registry that no pull secret names", { component: { resource: { name: "flux-app" } } }, "AuthenticationFailed"],
  ])("is refused with %s", async (what, spec, reason) => {
    const name = `ocm-${what.split(" ").at(-1)!.toLowerCase()}-${reason.toLowerCase()}`;
    await plane.admin.create(
      artifactRepository(name, { registry, path: `${components}/app` }, { ref: { tag: "1.0.0" }, ...spec }),
    );
    const object = await plane.admin.waitFor(repositoryRef(name), "refused", (found) =>
      isCondition(found, "Ready", "False", reason),
    );
    expect(object.status?.["artifact"]).toBeUndefined();
  });
});
