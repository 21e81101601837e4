import { beforeAll, describe, expect, it } from "vitest";
import { download } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import type { Registry } from "./registry.ts";
import {
  artifactRepository,
  namespace,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
} from "./repositories.ts";
import { startStrata, type Strata } from "./strata.ts";
import { eventually, throughout } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
});

async function create(name: string, labels?: Record<string, string>): Promise<void> {
  const object = artifactRepository(name, { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } });
  await plane.admin.create({ ...object, metadata: { ...object.metadata, ...(labels && { labels }) } });
}

const urlOf = async (name: string): Promise<string> => (await publishedArtifact(plane, name)).url;
const leads = async (replica: Strata): Promise<boolean> =>
  /^leader_election_master_status\{.*\} 1$/m.test(await replica.metrics());

const names = Array.from({ length: 20 }, (_, at) => `shared-${at}`);
let first: Strata;
let second: Strata;

/** With the default timings of leader election. */
describe("two replicas with one storage", () => {
  it("have one leader, and both serve", async () => {
    const storage = await workspace.directory("shared-storage");
    const flags = ["--enable-leader-election=true"];
    first = await startStrata(workspace, plane, { name: "replica-1", storage, flags });
    await eventually("the first to lead", () => leads(first));
    second = await startStrata(workspace, plane, { name: "replica-2", storage, flags });
    await Promise.all(names.map(async (name) => await create(name)));
    for (const name of names) await readyRepository(plane, name);
    expect([await leads(first), await leads(second)]).toEqual([true, false]);
    expect(await second.probe("/readyz")).toBe(200);
    for (const name of names) {
      const artifact = await publishedArtifact(plane, name);
      expect(artifact.url).toContain(first.address);
      await download(artifact);
      await eventually(
        "the standby to serve",
        async () =>
          (await download({ ...artifact, url: artifact.url.replace(first.address, second.address) })).length > 0,
        15_000,
      );
    }
  });
});

describe("a standby", () => {
  it("takes over within 20 s of the leader's sudden death", async () => {
    const killedAt = performance.now();
    await first.server.kill();
    const published = async () => {
      const artifacts = await Promise.all(names.map(async (name) => await publishedArtifact(plane, name)));
      return artifacts.every(({ url }) => url.includes(second.address)) && artifacts;
    };
    const artifacts = await eventually("the second to have taken over", published, 30_000);
    expect((await Promise.all(artifacts.map(download))).every(({ length }) => length > 0)).toBe(true);
    expect(performance.now() - killedAt).toBeLessThan(20_000);
    expect(await leads(second)).toBe(true);
  });

  it("takes over at once when the leader stops in peace", async () => {
    first = await first.restart();
    expect(await leads(first)).toBe(false);
    const stoppedAt = performance.now();
    expect(await second.server.stop()).toBe(0);
    await eventually("the first to lead", () => leads(first), 10_000);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    await reconcileNow(plane, names[0]!);
    expect(await urlOf(names[0]!)).toContain(first.address);
    await first.server.stop();
    await eventually("the Lease to be given up", async () =>
      (await plane.admin.list("Lease", "strata-system")).every(({ spec }) => spec?.["holderIdentity"] === ""),
    );
  });
});

describe("the only replica", () => {
  it("loses the lease where the API server is away, goes on serving, and leads again once it is back", async () => {
    let replica = await startStrata(workspace, plane, { name: "single", flags: ["--enable-leader-election=true"] });
    await eventually("it to lead", () => leads(replica));
    const artifacts = await eventually("everything to be served by it", async () => {
      const all = await Promise.all(names.map(async (name) => await publishedArtifact(plane, name)));
      return all.every(({ url }) => url.includes(replica.address)) && all;
    });
    await plane.stopApi();
    // As the kubelet restarts it.
    await eventually("its end", async () => !replica.server.running());
    replica = await replica.restart({ waitForReady: false });
    await eventually(
      "everything to be served",
      async () => (await Promise.all(artifacts.map(download))).length === names.length,
      5000,
    );
    await plane.startApi();
    await eventually("it to lead again", () => leads(replica), 40_000);
    await reconcileNow(plane, names[0]!);
    await download(await publishedArtifact(plane, names[0]!));
    expect(await replica.server.stop()).toBe(0);
  }, 120_000);
});

describe("controllers with label selectors", () => {
  const label = "sharding.fluxcd.io/key";
  const flags = (selector: string): string[] => ["--enable-leader-election=true", `--watch-label-selector=${selector}`];

  it("share the objects, and hand one over when its label changes", async () => {
    const [one, two, rest] = await Promise.all([
      startStrata(workspace, plane, { name: "shard-1", flags: flags(`${label}=shard1`) }),
      startStrata(workspace, plane, { name: "shard-2", flags: flags(`${label} in (shard2, shard3)`) }),
      startStrata(workspace, plane, { name: "main", flags: flags(`!${label}`) }),
    ]);
    await create("in-shard-1", { [label]: "shard1" });
    await create("in-shard-2", { [label]: "shard2" });
    await create("in-no-shard");
    await create("in-unknown-shard", { [label]: "shard9" });
    for (const [name, controller] of [
      ["in-shard-1", one],
      ["in-shard-2", two],
      ["in-no-shard", rest],
    ] as const) {
      await readyRepository(plane, name);
      expect(await urlOf(name)).toContain(controller.address);
      await download(await publishedArtifact(plane, name));
    }
    await throughout(
      "the object of no controller is left alone",
      async () => (await plane.admin.get(repositoryRef("in-unknown-shard"))).status?.["artifact"] === undefined,
      1500,
      250,
    );
    await plane.admin.patch(
      { kind: "ArtifactRepository", namespace, name: "in-shard-1" },
      { metadata: { labels: { [label]: "shard3" } } },
    );
    await eventually("the other shard to publish it", async () => (await urlOf("in-shard-1")).includes(two.address));
    await download(await publishedArtifact(plane, "in-shard-1"));
    await Promise.all([one, two, rest].map(async ({ server }) => await server.stop()));
  });
});
