import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { download, type PublishedArtifact } from "./artifact.ts";
import { clientsIn, itHas } from "./clients.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startSourceController } from "./flux.ts";
import { hasArtifact } from "./kube.ts";
import { digestOf } from "./push.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, namespace, ociRepositoryRef, readyRepository } from "./repositories.ts";
import { freePort } from "./server.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const run = clientsIn(workspace, workspace.dir);

let plane: ControlPlane;
let registry: Registry;
let endpoint: string;
let artifact: PublishedArtifact;
/** Without `oci://`: what was pushed, and what the controller serves. */
const places = (): Readonly<Record<Place, string>> => ({
  pushed: `${registry.host}/published/chart`,
  served: `${endpoint}/${namespace}/chart`,
});
type Place = (typeof both)[number];
const both = ["pushed", "served"] as const;
const version = "0.1.0";

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  endpoint = `127.0.0.1:${await freePort()}`;
  await startStrata(workspace, plane, { flags: [`--oci-endpoint-addr=${endpoint}`] });
  await startSourceController(workspace, plane);
  const oci = { url: `oci://${places().pushed}`, insecure: true, tags: ["{tag}"] };
  const publish = { externalArtifact: {}, ociRepository: {}, oci };
  await plane.admin.create(
    artifactRepository("chart", { registry, path: "helm/chart" }, { ref: { tag: version }, publish }),
  );
  artifact = (await readyRepository(plane, "chart")).status?.["artifact"] as PublishedArtifact;
});

/** The chart's bytes as `helm pull` writes them. */
async function pulled(directory: string): Promise<Buffer> {
  return await readFile(join(directory, `chart-${version}.tgz`));
}

describe.each(both)("a chart that is %s", (place) => {
  itHas("helm")("is pulled by helm, byte for byte", async () => {
    const to = await workspace.directory(`helm-${place}`);
    const from = `oci://${places()[place]}`;
    await run("helm", "pull", from, "--version", version, "--plain-http", "--destination", to);
    expect(digestOf(await pulled(to))).toBe(artifact.digest);
  });

  itHas("helm")("is rendered by helm", async () => {
    const rendered = await run(
      "helm",
      "template",
      "it",
      `oci://${places()[place]}`,
      "--version",
      version,
      "--plain-http",
    );
    expect(rendered).toContain("# Source: chart/");
  });

  itHas("flux")("is pulled by flux", async () => {
    const to = await workspace.directory(`flux-${place}`);
    await run("flux", "pull", "artifact", `oci://${places()[place]}:${version}`, "--insecure-registry", "--output", to);
    expect(await readFile(join(to, "chart", "Chart.yaml"), "utf8")).toContain("name: chart");
  });

  itHas("oras")("is copied by oras, as the same chart", async () => {
    const copy = `${registry.host}/copied/${place}:${version}`;
    await run("oras", "copy", "--from-plain-http", "--to-plain-http", `${places()[place]}:${version}`, copy);
    const manifest = JSON.parse(await run("oras", "manifest", "fetch", "--plain-http", copy)) as {
      config: { mediaType: string };
      layers: { mediaType: string; digest: string }[];
    };
    expect(manifest.config.mediaType).toBe("application/vnd.cncf.helm.config.v1+json");
    expect(manifest.layers).toMatchObject([
      { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", digest: artifact.digest },
    ]);
  });

  it("is read by source-controller as a HelmChart", async () => {
    const name = `chart-${place}`;
    const url = `oci://${places()[place].replace(/\/chart$/, "")}`;
    const head = (kind: string) => ({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind,
      metadata: { name, namespace },
    });
    const common = { interval: "1h" };
    await plane.admin.create({ ...head("HelmRepository"), spec: { ...common, type: "oci", url, insecure: true } });
    const sourceRef = { kind: "HelmRepository", name };
    const spec = { ...common, chart: "chart", version, sourceRef, reconcileStrategy: "ChartVersion" };
    await plane.admin.create({ ...head("HelmChart"), spec });
    const chart = await plane.admin.waitFor({ kind: "HelmChart", namespace, name }, "ready", hasArtifact, 60_000);
    expect(digestOf(await download(chart.status?.["artifact"] as PublishedArtifact))).toBe(artifact.digest);
  });
});

it("is the artifact of the managed OCIRepository, byte for byte", async () => {
  const reference = ociRepositoryRef("chart");
  const repository = await plane.admin.waitFor(reference, "ready", hasArtifact, 60_000);
  expect(repository.spec).toMatchObject({ timeout: "60s" });
  expect(repository.status?.["artifact"]).toMatchObject({ digest: artifact.digest });
});
