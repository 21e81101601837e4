import { beforeAll, expect, it } from "vitest";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { crane } from "./crane.ts";
import type { KubeObject } from "./kube.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, externalArtifactRef, readyRepository, repositoryRef } from "./repositories.ts";
import { startStrata, type Strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const at = "e2e/following";
let plane: ControlPlane;
let registry: Registry;
let strata: Strata;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  strata = await startStrata(workspace, plane);
  await copy("1.0.0");
  const spec = { ref: { semver: ">=1.0.0" } };
  await plane.admin.create(artifactRepository("following", { registry, path: at }, spec));
  await readyRepository(plane, "following");
});

const copy = async (tag: string): Promise<string> =>
  await crane(["copy", `${registry.host}/flux/app:${tag}`, `${registry.host}/${at}:${tag}`]);

/** What notification-controller does for a Receiver. */
async function receive(token: string): Promise<void> {
  const annotations = { "reconcile.fluxcd.io/requestedAt": token };
  await plane.admin.patch(externalArtifactRef("following"), { metadata: { annotations } });
}

const revisionOf = ({ status = {} }: KubeObject): string => (status["artifact"] as { revision: string }).revision;
const handled = async (token: string) =>
  await plane.admin.waitFor(
    repositoryRef("following"),
    "the request handled",
    ({ status }) => status?.["lastHandledExternalArtifactReconcileAt"] === token,
  );

it("what a Receiver asks of the ExternalArtifact brings the newest version at once", async () => {
  await copy("1.1.0");
  await receive("one");
  expect(revisionOf(await handled("one"))).toMatch(/^1\.1\.0@/);
});

it("a request that came while no controller ran is handled by the next one", async () => {
  await strata.server.kill();
  await crane(["tag", `${registry.host}/${at}:1.1.0`, "1.2.0"]);
  await receive("two");
  await strata.restart();
  expect(revisionOf(await handled("two"))).toMatch(/^1\.2\.0@/);
});
