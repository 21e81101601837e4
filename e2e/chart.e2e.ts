import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { installManifest } from "../config/build-install.ts";
import { itHas, clientsIn } from "./clients.ts";
import { startControlPlane } from "./controlplane.ts";
import { kubectl } from "./kubectl.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const run = clientsIn(workspace, workspace.dir);
const helm = async (...args: readonly string[]): Promise<string> => await run("helm", ...args);
const chart = join(import.meta.dirname, "../charts/strata");
const namespace = "strata-system";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; annotations?: Record<string, string> };
  readonly spec?: unknown;
}

async function rendered(settings: readonly string[] = []): Promise<string> {
  const set = settings.flatMap((setting) => ["--set", setting]);
  return await helm("template", "strata", chart, "--namespace", namespace, ...set);
}

function objectsOf(text: string): Map<string, Manifest> {
  const all = parseAllDocuments(text).map((document) => document.toJS() as Manifest | null);
  return new Map(all.flatMap((each) => (each === null ? [] : [[`${each.kind} ${each.metadata.name}`, each] as const])));
}

/** Settings that people combine, each with what they must bring. */
const combinations = [
  { settings: [], brings: ["Deployment strata-controller"] },
  {
    settings: ["storage.type=persistentVolumeClaim", "storage.size=20Gi"],
    brings: ["PersistentVolumeClaim strata-storage"],
  },
  { settings: ["highAvailability=true"], brings: ["PersistentVolumeClaim strata-storage"] },
  {
    settings: ["shards={a,b}", "storage.type=persistentVolumeClaim"],
    brings: ["Deployment strata-controller-a", "Service strata-controller-b", "PersistentVolumeClaim strata-storage-b"],
  },
  { settings: ["ociEndpoint.enabled=true", "ociEndpoint.tlsSecretName=tls"], brings: ["Service strata-controller"] },
  { settings: ["monitoring.dashboard.enabled=true"], brings: ["ConfigMap strata-dashboard"] },
  {
    settings: ["storage.size=2Gi", "tmpSize=1Gi", "podLabels.team=a", "controller.extraArgs={--kube-api-qps=50}"],
    brings: ["Deployment strata-controller"],
  },
];

describe("the chart", () => {
  itHas("helm")("is accepted by helm's linter", async () => {
    expect(await helm("lint", "--strict", chart)).toContain("0 chart(s) failed");
  });

  itHas("helm")("is what install.yaml is, object by object, with default values", async () => {
    const objects = objectsOf(await rendered());
    const expected = objectsOf(installManifest());
    expect(expected.delete("Namespace strata-system")).toBe(true);
    const crd = objects.get("CustomResourceDefinition artifactrepositories.source.strata.dev");
    // The one difference: a release that is uninstalled leaves the objects of people alone.
    expect(crd?.metadata.annotations?.["helm.sh/resource-policy"]).toBe("keep");
    delete crd?.metadata.annotations?.["helm.sh/resource-policy"];
    expect([...objects.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, object] of expected) expect(objects.get(name), name).toEqual(object);
  });

  itHas("helm")("is accepted by the API server in every combination", async () => {
    const plane = await startControlPlane(workspace);
    await kubectl(plane, ["create", "namespace", namespace]);
    const dir = await workspace.directory("chart");
    for (const [at, { settings, brings }] of combinations.entries()) {
      const text = await rendered(settings);
      expect([...objectsOf(text).keys()], settings.join()).toEqual(expect.arrayContaining(brings));
      const file = join(dir, `${at}.yaml`);
      await writeFile(file, text);
      const dryRun = at === 0 ? [] : ["--dry-run=server"];
      await kubectl(plane, ["apply", "--server-side", "--force-conflicts", ...dryRun, "-f", file]);
    }
  });

  itHas("helm").each([
    ["controller.concurrent=many", "/controller/concurrent"],
    ["replicas=2", "highAvailability"],
    ["storage.type=disk", "/storage/type"],
    ["storage.sizeLimit=1Gi", "sizeLimit"],
    ["image.digest=latest", "/image/digest"],
    ["shards={Not_A_Label}", "/shards/0"],
  ])("refuses %s, and names it", async (setting, named) => {
    await expect(rendered([setting])).rejects.toThrow(named);
  });

  itHas("helm")("gives a shard nothing of the main one's", async () => {
    const objects = objectsOf(await rendered(["shards={a}", "highAvailability=true"]));
    const args = (name: string): unknown => JSON.stringify(objects.get(`Deployment ${name}`)?.spec);
    expect(args("strata-controller")).toContain("--watch-label-selector=!sharding.fluxcd.io/key");
    expect(args("strata-controller-a")).toContain("--watch-label-selector=sharding.fluxcd.io/key=a");
    expect(args("strata-controller-a")).toContain("--storage-adv-addr=strata-controller-a.");
    expect(args("strata-controller-a")).toContain('"claimName":"strata-storage-a"');
  });
});
