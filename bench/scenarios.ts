import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import type { KubeObject } from "../e2e/kube.ts";
import { isReady } from "../e2e/kube.ts";
import { artifactRef, type ArtifactName } from "./artifacts.ts";
import {
  apiVersionOf,
  kindOf,
  namespace,
  removeObjects,
  startController,
  type Controller,
  type Side,
} from "./controllers.ts";
import { lastBusy, measure, watchTraffic, type Bench, type Measurement } from "./measure.ts";
import { usageOf } from "./process.ts";
import { Watcher } from "./watcher.ts";

/** Does the work with one of the two and says what it took; undefined where that one is not there. */
export type Scenario = (bench: Bench, side: Side) => Promise<Measurement | undefined>;

/** Fields of the spec besides the reference; both kinds have them. */
export interface Work {
  readonly artifact: ArtifactName;
  readonly spec?: Readonly<Record<string, unknown>>;
}

const minuteMs = 60_000;
/** The longest that one object may take, and the longest for a thousand. */
export const timeoutsMs = { one: 15 * minuteMs, many: 30 * minuteMs } as const;
const warmUp = 10;
export const noTraffic = { requests: 0, bytes: 0 } as const;

export interface Running {
  readonly controller: Controller;
  readonly watcher: Watcher;
}

/** The first reconcile of a new object. */
export function firstReconcile(work: (side: Side) => Work): Scenario {
  return async (bench, side) => {
    const { artifact, spec } = work(side);
    return await oneAfterAnother(bench, side, [{ url: await bench.artifacts.url(artifact), ...spec }]);
  };
}

/** First reconciles of so many objects, one at a time, because one is too short to measure; each has an artifact of its own. */
export function smallReconciles(times: number): Scenario {
  return async (bench, side) =>
    await oneAfterAnother(
      bench,
      side,
      (await bench.artifacts.many(times)).map((url) => ({ url })),
    );
}

function oneAfterAnother(
  bench: Bench,
  side: Side,
  specs: readonly Readonly<Record<string, unknown>>[],
): Promise<Measurement> {
  return withController(bench, side, ({ controller, watcher }) => {
    const work = async (): Promise<void> => {
      for (const [n, spec] of specs.entries()) {
        await bench.plane.admin.create(objectOf(side, `work-${n}`, spec));
        await watcher.until([`work-${n}`], isReady, timeoutsMs.one);
      }
    };
    return measure(bench, controller, work, specs.length);
  });
}

/** Reconciles at which the registry has nothing new. */
export function noOpReconcile(artifact: ArtifactName, times: number): Scenario {
  return (bench, side) =>
    withController(bench, side, async ({ controller, watcher }) => {
      await bench.plane.admin.create(objectOf(side, "work", { url: await bench.artifacts.url(artifact) }));
      await watcher.until(["work"], isReady, timeoutsMs.one);
      await sleep(2000);
      return await measure(
        bench,
        controller,
        async () => {
          for (let n = 0; n < times; n += 1) {
            const requestedAt = `bench-${n}`;
            await bench.plane.admin.patch(
              { kind: kindOf[side], namespace, name: "work" },
              { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": requestedAt } } },
            );
            await watcher.until(
              ["work"],
              (object) => object.status?.["lastHandledReconcileAt"] === requestedAt && isReady(object),
              timeoutsMs.one,
            );
          }
        },
        times,
      );
    });
}

/** So many objects at once; the same reference for all, or an artifact for each. */
export function manyObjects(count: number, references: "shared" | "own"): Scenario {
  return (bench, side) =>
    withController(bench, side, async ({ controller, watcher }) => {
      const urls = await urlsOf(bench, count, references);
      return await measure(bench, controller, () => createAll(bench, { side, watcher, urls }));
    });
}

/** A new version of each of so many objects, which has the layers of the one before. */
export function retagAll(count: number): Scenario {
  return (bench, side) =>
    withController(bench, side, async ({ controller, watcher }) => {
      const urls = await urlsOf(bench, count, "own");
      await createAll(bench, { side, watcher, urls });
      await bench.artifacts.retag(urls, "2.0.0");
      await sleep(2000);
      const names = urls.map((_, n) => `work-${n}`);
      return await measure(bench, controller, async () => {
        const ready = watcher.until(names, (object) => isReady(object) && isOfTag(object, "2.0.0"), timeoutsMs.many);
        const edited = pLimit(8).map(names, (name) =>
          bench.plane.admin.patch({ kind: kindOf[side], namespace, name }, { spec: { ref: { tag: "2.0.0" } } }),
        );
        await Promise.all([ready, edited]);
      });
    });
}

function isOfTag({ status }: KubeObject, tag: string): boolean {
  const { revision = "" } = (status?.["artifact"] ?? {}) as { readonly revision?: string };
  return revision.startsWith(`${tag}@`);
}

/** A new process over the storage and the objects of an earlier one, until it rests. */
export function restart(count: number): Scenario {
  return (bench, side) =>
    withController(bench, side, async ({ controller, watcher }) => {
      await createAll(bench, { side, watcher, urls: await urlsOf(bench, count, "own") });
      await sleep(2000);
      return await restarted(bench, controller);
    });
}

export async function restarted(bench: Bench, controller: Controller): Promise<Measurement> {
  const traffic = await watchTraffic(bench.registry);
  const again = await controller.restart();
  try {
    const wallMs = (await lastBusy(again.pid, timeoutsMs.many)) - again.startedAt;
    const { cpuMs, rssBytes, peakRssBytes } = await usageOf(again.pid);
    const loopDelayMs = await again.loopDelayMs();
    return { wallMs, cpuMs, idleRssBytes: rssBytes, peakRssBytes, loopDelayMs, ...(await traffic()) };
  } finally {
    await again.end();
  }
}

/** From its start until it is ready; memory and CPU are those of three seconds later, without any object. */
export const startUp: Scenario = async (bench, side) => {
  const controller = await startController(bench, side, { flags: bench.flags });
  try {
    await sleep(3000);
    const { cpuMs, rssBytes, peakRssBytes } = await usageOf(controller.pid);
    const loopDelayMs = await controller.loopDelayMs();
    return { wallMs: controller.readyMs, cpuMs, idleRssBytes: rssBytes, peakRssBytes, loopDelayMs, ...noTraffic };
  } finally {
    await controller.end();
  }
};

/** A process of its own for each measurement, so that none inherits memory; some small objects warm it up. */
export async function withController<T>(bench: Bench, side: Side, body: (running: Running) => Promise<T>): Promise<T> {
  const inspectorPort = bench.profiler?.inspectorPort;
  const controller = await startController(bench, side, {
    flags: bench.flags,
    ...(inspectorPort !== undefined && { inspectorPort }),
  });
  const watcher = new Watcher(bench.plane.admin, kindOf[side], namespace);
  try {
    await createAll(bench, { side, watcher, urls: await bench.artifacts.many(warmUp, "warm-up"), prefix: "warm-up" });
    await sleep(2000);
    return await body({ controller, watcher });
  } finally {
    watcher.close();
    await controller.end();
    await removeObjects(bench.plane.admin);
  }
}

export async function createAll(
  bench: Bench,
  work: {
    side: Side;
    watcher: Watcher;
    urls: readonly string[];
    prefix?: string;
    spec?: Readonly<Record<string, unknown>>;
    labelsOf?: (n: number) => Record<string, string>;
  },
): Promise<void> {
  const names = work.urls.map((_, n) => `${work.prefix ?? "work"}-${n}`);
  const ready = work.watcher.until(names, isReady, timeoutsMs.many);
  const created = pLimit(8).map(work.urls, (url, n) =>
    bench.plane.admin.create(objectOf(work.side, names[n]!, { url, ...work.spec }, work.labelsOf?.(n))),
  );
  await Promise.all([ready, created]);
}

async function urlsOf(bench: Bench, count: number, references: "shared" | "own"): Promise<readonly string[]> {
  if (references === "own") return await bench.artifacts.many(count);
  const url = await bench.artifacts.url("small");
  return Array.from({ length: count }, () => url);
}

export function objectOf(
  side: Side,
  name: string,
  spec: Readonly<Record<string, unknown>>,
  labels: Record<string, string> = {},
): KubeObject {
  return {
    apiVersion: apiVersionOf[side],
    kind: kindOf[side],
    metadata: { name, namespace, labels },
    spec: { interval: "24h", timeout: "10m", insecure: true, ref: artifactRef, ...spec },
  };
}
