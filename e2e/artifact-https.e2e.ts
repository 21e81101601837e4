import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startKustomizeController } from "./flux.ts";
import { isReady } from "./kube.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, kustomization, namespace, publishedArtifact, readyRepository } from "./repositories.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;
let mounted: string;
let trusted: Certificate;

/** As the kubelet does where a Secret has changed: each file is there, whole, at any time. */
async function mount({ certFile, keyFile }: Certificate): Promise<void> {
  for (const [from, name] of [
    [certFile, "tls.crt"],
    [keyFile, "tls.key"],
  ] as const) {
    await copyFile(from, join(mounted, `${name}.next`));
    await rename(join(mounted, `${name}.next`), join(mounted, name));
  }
}

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  mounted = await workspace.directory("artifact-tls");
  trusted = await makeCertificate(workspace, "trusted");
  await mount(await makeCertificate(workspace, "unknown"));
  await startStrata(workspace, plane, { flags: [`--storage-cert-dir=${mounted}`] });
  await startKustomizeController(workspace, plane, [], { SSL_CERT_FILE: trusted.certFile });
});

it("kustomize-controller reads artifacts over HTTPS, once it trusts the certificate that is mounted", async () => {
  await plane.admin.create(artifactRepository("secured", { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } }));
  await readyRepository(plane, "secured");
  expect((await publishedArtifact(plane, "secured")).url).toMatch(/^https:\/\//);
  await plane.admin.create(kustomization("secured", "./"));
  const reference = { kind: "Kustomization", namespace, name: "secured" } as const;
  await plane.admin.waitFor(reference, "refused", ({ status }) => JSON.stringify(status ?? {}).includes("certificate"));
  await mount(trusted);
  await plane.admin.waitFor(reference, "ready", isReady);
});
