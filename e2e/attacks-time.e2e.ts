import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { createNamespaces, startPlane } from "./cluster.ts";
import { type ControlPlane } from "./controlplane.ts";
import { startHostileRegistry, type HostileRegistry } from "./hostile-registry.ts";
import { isReady, type KubeObject } from "./kube.ts";
import { artifactRepository, isCondition } from "./repositories.ts";
import { startStrata, type Strata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: HostileRegistry;
/** Another host: what a registry says of itself counts for all its repositories. */
let good: HostileRegistry;
let controller: Strata;
let made = 0;

beforeAll(async () => {
  [plane, registry, good] = await Promise.all([
    startPlane(workspace),
    startHostileRegistry(workspace),
    startHostileRegistry(workspace),
  ]);
  await createNamespaces(plane, ["tenant-a", "tenant-b", "tenant-b-1", "tenant-b-2", "tenant-b-3"]);
  // As the Deployment has it: four workers, 30 s to stop.
  controller = await startStrata(workspace, plane, { flags: ["--concurrent=4", "--log-level=info"] });
});

type Spec = Record<string, unknown>;

function objectOf(namespace: string, behaviour: string, spec: Spec = {}): KubeObject {
  const path = `${behaviour}/${++made}`;
  const from = { registry: namespace === "tenant-a" ? good : registry, path };
  const object = artifactRepository(`${behaviour}-${made}`, from, { ref: { tag: "1.0.0" }, ...spec });
  return { ...object, metadata: { ...object.metadata, namespace } };
}

const refOf = ({ metadata: { namespace, name } }: KubeObject) =>
  ({ kind: "ArtifactRepository", namespace: namespace!, name }) as const;

async function readyWithin(ms: number, object = objectOf("tenant-a", "good")): Promise<number> {
  const started = performance.now();
  await plane.admin.create(object);
  await plane.admin.waitFor(refOf(object), "ready", isReady, ms);
  return performance.now() - started;
}

/** The longest that /healthz took, in ms, and the largest resident memory, in MiB, while `work` ran. */
async function watched(work: () => Promise<void>): Promise<{ readonly healthMs: number; readonly rssMiB: number }> {
  const ended = new AbortController();
  let [healthMs, rssMiB] = [0, 0];
  const watching = (async () => {
    while (!ended.signal.aborted) {
      const started = performance.now();
      expect(await controller.probe("/healthz")).toBe(200);
      healthMs = Math.max(healthMs, performance.now() - started);
      const status = await readFile(`/proc/${controller.server.pid}/status`, "utf8");
      rssMiB = Math.max(rssMiB, Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
      await sleep(100);
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await watching;
  }
  return { healthMs, rssMiB };
}

/** What the controller is at, by its own count. */
async function underWay(): Promise<number> {
  const metrics = await controller.metrics();
  const of = (name: string): number => Number(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, "m").exec(metrics)?.[1] ?? NaN);
  return of("controller_runtime_active_workers") + of("strata_reconciles_aside");
}

const attacks: [string, () => KubeObject[]][] = [
  ["4 objects whose blobs drip", () => Array.from({ length: 4 }, () => objectOf("tenant-b", "drip-blob"))],
  ["40 objects whose manifests drip", () => Array.from({ length: 40 }, () => objectOf("tenant-b", "drip-manifest"))],
  [
    "8 objects whose registry hangs",
    () => Array.from({ length: 8 }, () => objectOf("tenant-b", "hang", { timeout: "10s" })),
  ],
  [
    "8 objects without a timeout of their own",
    () => Array.from({ length: 8 }, () => objectOf("tenant-b", "hang", { timeout: "0s" })),
  ],
  ["200 objects whose registry hangs", () => Array.from({ length: 200 }, () => objectOf("tenant-b", "hang"))],
  [
    "objects of several namespaces whose tokens, tags and blobs hang",
    () =>
      [1, 2, 3].flatMap((number) =>
        ["hang-tokens", "hang-tags", "drip-blob", "refuse"].flatMap((behaviour) =>
          Array.from({ length: 4 }, () =>
            objectOf(`tenant-b-${number}`, behaviour, behaviour === "hang-tags" ? { ref: { semver: "*" } } : {}),
          ),
        ),
      ),
  ],
  ["10 × 300 MB at 15 MB/s", () => Array.from({ length: 10 }, () => objectOf("tenant-b", "large"))],
  [
    "8 objects whose push target takes nothing",
    () =>
      Array.from({ length: 8 }, () =>
        objectOf("tenant-b", "good", {
          publish: { oci: { url: `oci://${registry.host}/sink/${made}`, insecure: true } },
        }),
      ),
  ],
  [
    "20 objects that ask every millisecond",
    () => Array.from({ length: 20 }, () => objectOf("tenant-b", "good", { interval: "1ms" })),
  ],
];

describe("while another tenant has", () => {
  it.each(attacks)(
    "%s, the probes are answered, memory is bounded and a new object is ready soon",
    async (_, attack) => {
      const objects = attack();
      const times: number[] = [];
      const { healthMs, rssMiB } = await watched(async () => {
        for (const object of objects) await plane.admin.create(object);
        await sleep(2000);
        for (let round = 0; round < 3; round++) {
          times.push(await readyWithin(15_000));
          await sleep(1500);
        }
      });
      console.log(
        `ready after ${times.map((ms) => Math.round(ms)).join(", ")} ms; /healthz ${Math.round(healthMs)} ms; ${Math.round(rssMiB)} MiB`,
      );
      expect(healthMs).toBeLessThan(1000);
      expect(rssMiB).toBeLessThan(400);
      // What runs for an object ends with it.
      for (const object of objects) await plane.admin.delete(refOf(object));
      await eventually("nothing to be left", async () => (await underWay()) === 0, 30_000);
    },
    180_000,
  );
});

describe("an object that is at work", () => {
  it.each([
    ["deleted", async (object: KubeObject) => await plane.admin.delete(refOf(object))],
    ["suspended", async (object: KubeObject) => await plane.admin.patch(refOf(object), { spec: { suspend: true } })],
  ])("and %s is left alone within two seconds", async (_, act) => {
    const object = objectOf("tenant-a", "drip-blob");
    await plane.admin.create(object);
    await eventually("the download to begin", async () => good.count(new RegExp(`drip-blob/${made}/blobs`)) > 0);
    await act(object);
    await eventually("nothing to be left", async () => (await underWay()) === 0, 2000);
  });

  it("and edited publishes nothing of what it was", async () => {
    const object = objectOf("tenant-a", "large");
    await plane.admin.create(object);
    await eventually("the download to begin", async () => good.count(new RegExp(`large/${made}/blobs`)) > 0);
    const edited = performance.now();
    await plane.admin.patch(refOf(object), { spec: { url: `oci://${good.host}/good/edited` } });
    const ready = await plane.admin.waitFor(refOf(object), "ready", isReady, 5000);
    expect(performance.now() - edited).toBeLessThan(5000);
    expect(ready.status?.["artifact"].metadata["source.strata.dev/upstream-url"]).toContain("/good/edited");
  });
});

describe("times of a spec", () => {
  it("interval: 0s asks once, and again after a change", async () => {
    const object = objectOf("tenant-a", "good", { interval: "0s" });
    const asked = (): number => good.count(new RegExp(`good/${path}/manifests`));
    const path = made;
    await readyWithin(15_000, object);
    const before = asked();
    await sleep(3000);
    expect(asked()).toBe(before);
    await plane.admin.patch(refOf(object), { spec: { interval: "1m" } });
    await eventually("another request", async () => asked() > before);
  });

  it("timeout: 0s is not a limit, and 1ms is one that says so", async () => {
    await readyWithin(15_000, objectOf("tenant-a", "good", { timeout: "0s" }));
    const object = objectOf("tenant-a", "drip-manifest", { timeout: "1ms" });
    await plane.admin.create(object);
    const failed = await plane.admin.waitFor(refOf(object), "failed", (found) => isCondition(found, "Ready", "False"));
    expect(JSON.stringify(failed.status)).toContain("0.001 s");
    await plane.admin.delete(refOf(object));
  });
});

describe("SIGTERM", () => {
  it("does not wait for a registry that hangs longer than the flag says", async () => {
    for (let at = 0; at < 6; at++) await plane.admin.create(objectOf("tenant-b", "hang", { timeout: "10m" }));
    const own = await startStrata(workspace, plane, {
      name: "strata-stopping",
      flags: ["--graceful-shutdown-timeout=5s", "--log-level=info"],
    });
    await eventually("requests that hang", async () => registry.count(/\/hang\//) >= 12, 30_000);
    const started = performance.now();
    expect(await own.server.stop(20_000)).toBe(0);
    expect(performance.now() - started).toBeLessThan(8000);
  });
});
