import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, namespace, publishedArtifact, readyRepository, repositoryRef } from "./repositories.ts";
import { startStrata, type Strata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
});

const object = (name: string, interval = "1h"): ReturnType<typeof artifactRepository> =>
  artifactRepository(name, { registry, path: "flux/app" }, { ref: { tag: "1.0.0" }, interval });
const create = async (name: string): Promise<unknown> => await plane.admin.create(object(name));
const stored = async ({ storage }: Strata): Promise<string[]> =>
  (await readdir(join(storage, "artifactrepository", namespace)).catch(() => [])).sort((a, b) => a.localeCompare(b));
const names = async (kind: "ArtifactRepository" | "ExternalArtifact"): Promise<string[]> =>
  (await plane.admin.list(kind, namespace)).map(({ metadata }) => metadata.name).sort();

describe("objects that are deleted right after they were made", () => {
  it("leave nothing behind: no file, no ExternalArtifact, nothing in Terminating", async () => {
    const strata = await startStrata(workspace, plane, { name: "churn", flags: ["--log-level=info"] });
    const all = Array.from({ length: 150 }, (_, at) => `gone-${at}`);
    await Promise.all(
      all.map(async (name, at) => {
        await create(name);
        await sleep((at * 13) % 700);
        await plane.admin.delete(repositoryRef(name));
      }),
    );
    await eventually(
      "everything to be gone",
      async () =>
        (await names("ArtifactRepository")).length + (await names("ExternalArtifact")).length === 0 &&
        (await stored(strata)).length === 0,
      30_000,
    );
    expect(await strata.server.stop()).toBe(0);
  }, 120_000);
});

describe("a file that is removed under a running controller", () => {
  it("is made again once it was asked for in vain", async () => {
    const strata = await startStrata(workspace, plane, { name: "lost" });
    await create("lost");
    await readyRepository(plane, "lost");
    const { url, path } = await publishedArtifact(plane, "lost");
    await rm(join(strata.storage, path));
    expect((await fetch(url)).status).toBe(404);
    await eventually("it to be served again", async () => (await fetch(url)).status === 200, 15_000);
    await plane.admin.delete(repositoryRef("lost"));
    expect(await strata.server.stop()).toBe(0);
  }, 60_000);
});

describe("controllers whose selectors say the opposite", () => {
  it("each lead, with a Lease of their own", async () => {
    const label = "sharding.fluxcd.io/key";
    const selectors = [`${label}=shard1`, `${label}!=shard1`, label, `!${label}`];
    const all = await Promise.all(
      selectors.map(
        async (selector, at) =>
          await startStrata(workspace, plane, {
            name: `selector-${at}`,
            flags: ["--enable-leader-election=true", `--watch-label-selector=${selector}`],
          }),
      ),
    );
    // A pod that does not lead, and shares no storage, is not ready.
    for (const strata of all) expect(await strata.probe("/readyz")).toBe(200);
    const leases = (await plane.admin.list("Lease", "strata-system")).map(({ metadata }) => metadata.name);
    expect(new Set(leases).size).toBeGreaterThanOrEqual(4);
    const storage = await workspace.directory("of-its-own");
    const standby = await startStrata(workspace, plane, {
      name: "standby",
      storage,
      flags: ["--enable-leader-election=true", `--watch-label-selector=${selectors[0]}`],
    }).catch(() => undefined);
    expect(standby).toBeUndefined();
    await Promise.all(all.map(async ({ server }) => await server.stop()));
  }, 120_000);
});
