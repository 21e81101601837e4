import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ResourceInfo } from "./object-series.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

const kind = { group: "source.strata.dev", version: "v1beta1", kind: "ArtifactRepository" };
const keyOf = (at: number): { namespace: string; name: string } => ({
  namespace: `team-${at % 50}`,
  name: `application-${at}`,
});

/** Every hundredth is not ready. */
function filled(count: number): { metrics: Metrics; objects: ResourceInfo[] } {
  const metrics = createMetrics({ kind, concurrent: 4 });
  const objects = Array.from({ length: count }, (_, at) => ({
    key: keyOf(at),
    ready: at % 100 === 0 ? ("False" as const) : ("True" as const),
    stalled: false,
    suspended: false,
    url: `oci://registry.example/organisation/team-${at % 50}/application-${at}`,
    revision: `1.0.${at}@sha256:${"0".repeat(64)}`,
  }));
  metrics.showResources(() => objects);
  for (const { key } of objects) metrics.reconciled(key, "requeue_after", 20);
  return { metrics, objects };
}

const lines = (body: string, start: string): string[] => body.split("\n").filter((line) => line.startsWith(start));
const leftOut = (body: string): Record<string, number> =>
  Object.fromEntries(
    lines(body, "strata_objects_without_series{").map((line) => {
      const [, metric, count] = /metric="(\w+)"\} (\d+)/.exec(line)!;
      return [metric!, Number(count)];
    }),
  );

describe("series of single objects", () => {
  it("are there while they fit", async () => {
    const { body } = await filled(400).metrics.render();
    expect(lines(body, "gotk_reconcile_duration_seconds_count")).toHaveLength(400);
    expect(lines(body, "gotk_resource_info{")).toHaveLength(400);
    expect(leftOut(body)).toEqual({ gotk_reconcile_duration_seconds: 0, gotk_resource_info: 0 });
  });

  it.each([501, 2500, 10_000, 20_000])("take 2 MB at most with %i objects", async (count) => {
    const { body } = await filled(count).metrics.render();
    expect(body.length).toBeLessThan(2_000_000);
    expect(lines(body, "gotk_reconcile_duration_seconds_count")).toEqual([
      `gotk_reconcile_duration_seconds_count{kind="ArtifactRepository",name="",namespace=""} ${count - 500}`,
    ]);
    expect(lines(body, "gotk_resource_info{").filter((line) => line.includes('ready="False"'))).toHaveLength(
      Math.ceil(count / 100),
    );
    expect(leftOut(body)).toEqual({
      gotk_reconcile_duration_seconds: count,
      gotk_resource_info: count > 2500 ? count - Math.ceil(count / 100) : 0,
    });
  });

  it("are written metric by metric, and others have their turn in between", async () => {
    const { metrics } = filled(10_000);
    const others = { turns: 0, isOver: false };
    const watching = (async () => {
      for (; !others.isOver; others.turns++) await setImmediate();
    })();
    const { body } = await metrics.render();
    others.isOver = true;
    await watching;
    const names = lines(body, "# TYPE ").map((line) => line.split(" ")[2]);
    expect(names).toContain("gotk_resource_info");
    expect(others.turns).toBeGreaterThanOrEqual(names.length);
    // As Prometheus wants it: one line break at the end.
    expect(body).toMatch(/[^\n]\n$/);
  });

  it("come back when there are fewer objects", async () => {
    const { metrics, objects } = filled(600);
    for (const { key } of objects.splice(300)) metrics.deleted(key);
    for (const { key } of objects) metrics.reconciled(key, "success", 20);
    const { body } = await metrics.render();
    expect(lines(body, "gotk_reconcile_duration_seconds_count")).toHaveLength(300);
    expect(leftOut(body)).toEqual({ gotk_reconcile_duration_seconds: 0, gotk_resource_info: 0 });
  });
});
