import { setTimeout as sleep } from "node:timers/promises";
import { isReady } from "../e2e/kube.ts";
import { measure } from "./measure.ts";
import { objectOf, timeoutsMs, withController, type Scenario } from "./scenarios.ts";
import { startThrottle } from "./throttle.ts";

const bytesPerSecond = 15_000_000;
/** Until all downloads are under way. */
const underWayMs = 3000;

/** New small objects, one at a time, while so many large layers arrive. */
export function besideDownloads(downloads: number, times: number): Scenario {
  return async (bench, side) =>
    await withController(bench, side, async ({ controller, watcher }) => {
      const large = await bench.artifacts.copies("long", downloads);
      // Where a new object waits for a download to end, one is enough to know.
      const small = await bench.artifacts.many(side === "strata" ? times : 1);
      const throttle = await startThrottle(bench.registry, bytesPerSecond);
      try {
        for (const [n, url] of large.entries()) {
          const slow = url.replace(bench.registry.host, throttle.host);
          await bench.plane.admin.create(objectOf(side, `large-${n}`, { url: slow }));
        }
        await sleep(underWayMs);
        const work = async (): Promise<void> => {
          for (const [n, url] of small.entries()) {
            await bench.plane.admin.create(objectOf(side, `work-${n}`, { url }));
            await watcher.until([`work-${n}`], isReady, timeoutsMs.one);
          }
        };
        return await measure(bench, controller, work, small.length);
      } finally {
        await controller.end();
        await throttle.close();
      }
    });
}
