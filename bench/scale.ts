import { setTimeout as sleep } from "node:timers/promises";
import { kindOf, namespace, removeObjects, startController, type Controller } from "./controllers.ts";
import { measure, watchTraffic, type Bench, type Measurement } from "./measure.ts";
import { resetPeak, usageOf } from "./process.ts";
import { createAll, noTraffic, restarted, withController, type Scenario } from "./scenarios.ts";
import { median } from "./statistics.ts";
import { Watcher } from "./watcher.ts";

const scrapes = 5;
const shardLabel = "sharding.fluxcd.io/key";

type Part = "objects" | "scrape" | "restart";

/** So many objects of Strata's alone; one run answers what making them takes, a scrape of their metrics, and a restart with them. */
export function manyOfStrata(count: number): (part: Part) => Scenario {
  let run: Promise<Readonly<Record<Part, Measurement>>> | undefined;
  return (part) => async (bench, side) => {
    if (side !== "strata") return undefined;
    run ??= withController(bench, "strata", async ({ controller, watcher }) => {
      const urls = await bench.artifacts.many(count);
      const objects = await measure(bench, controller, () => createAll(bench, { side: "strata", watcher, urls }));
      await sleep(2000);
      return { objects, scrape: await scraped(controller), restart: await restarted(bench, controller) };
    });
    return (await run)[part];
  };
}

const [rateForMs, rateWindowMs] = [60_000, 5000];

/** The first minute of a new process over so many objects that ask once a minute; the requests are the most in five seconds. */
export function rateAfterRestart(count: number): Scenario {
  return (bench, side) =>
    withController(bench, side, async ({ controller, watcher }) => {
      await createAll(bench, { side, watcher, urls: await bench.artifacts.many(count), spec: { interval: "1m" } });
      const all = await watchTraffic(bench.registry);
      const again = await controller.restart();
      try {
        const seen: number[] = [];
        for (let waitedMs = 0; waitedMs < rateForMs; waitedMs += rateWindowMs) {
          const traffic = await watchTraffic(bench.registry);
          await sleep(rateWindowMs);
          seen.push((await traffic()).requests);
        }
        const { cpuMs, rssBytes, peakRssBytes } = await usageOf(again.pid);
        const loopDelayMs = await again.loopDelayMs();
        const { bytes } = await all();
        const wallMs = rateForMs;
        return { wallMs, cpuMs, idleRssBytes: rssBytes, peakRssBytes, loopDelayMs, bytes, requests: Math.max(...seen) };
      } finally {
        await again.end();
      }
    });
}

/** What it takes to read the metrics; the bytes are those of the text. */
async function scraped(controller: Controller): Promise<Measurement> {
  const before = await usageOf(controller.pid);
  const times: number[] = [];
  let text = "";
  for (let n = 0; n < scrapes; n += 1) {
    const from = performance.now();
    text = await controller.metrics();
    times.push(performance.now() - from);
  }
  const { cpuMs, rssBytes, peakRssBytes } = await usageOf(controller.pid);
  return {
    ...noTraffic,
    wallMs: median(times),
    cpuMs: (cpuMs - before.cpuMs) / scrapes,
    idleRssBytes: rssBytes,
    peakRssBytes,
    bytes: Buffer.byteLength(text),
    loopDelayMs: await controller.loopDelayMs(),
  };
}

/** The same objects by so many processes, each with those of a label: CPU is that of all, memory and delay those of the worst. */
export function sharded(count: number, processes: number): Scenario {
  return async (bench, side) => {
    if (side !== "strata") return undefined;
    const shards = Array.from({ length: processes }, (_, n) => `shard${n + 1}`);
    const controllers: Controller[] = [];
    const watcher = new Watcher(bench.plane.admin, kindOf.strata, namespace);
    try {
      for (const shard of shards) {
        const flags = [...bench.flags, `--watch-label-selector=${shardLabel}=${shard}`];
        controllers.push(await startController(bench, "strata", { flags }));
      }
      const urls = await bench.artifacts.many(count);
      const labelsOf = (n: number): Record<string, string> => ({ [shardLabel]: shards[n % processes]! });
      return await together(bench, controllers, () => createAll(bench, { side: "strata", watcher, urls, labelsOf }));
    } finally {
      watcher.close();
      for (const controller of controllers) await controller.end();
      await removeObjects(bench.plane.admin);
    }
  };
}

async function together(
  bench: Bench,
  controllers: readonly Controller[],
  work: () => Promise<void>,
): Promise<Measurement> {
  const usages = async () => await Promise.all(controllers.map(({ pid }) => usageOf(pid)));
  const delays = async () => await Promise.all(controllers.map(async (one) => await one.loopDelayMs()));
  const traffic = await watchTraffic(bench.registry);
  for (const { pid } of controllers) await resetPeak(pid);
  await delays();
  const before = await usages();
  const from = performance.now();
  await work();
  const wallMs = performance.now() - from;
  await sleep(1000);
  const after = await usages();
  return {
    wallMs,
    cpuMs: after.reduce((sum, { cpuMs }, n) => sum + cpuMs - before[n]!.cpuMs, 0),
    idleRssBytes: Math.max(...before.map(({ rssBytes }) => rssBytes)),
    peakRssBytes: Math.max(...after.map(({ peakRssBytes }) => peakRssBytes)),
    loopDelayMs: Math.max(...(await delays())),
    ...(await traffic()),
  };
}
