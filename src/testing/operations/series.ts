import { createMetrics } from "../../runtime/metrics.ts";

/** A metric as `/metrics` shows it; `samples` has the names of its lines, such as those with `_bucket`. */
export interface ShownMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: ReadonlySet<string>;
  readonly samples: ReadonlySet<string>;
}

/** What a controller shows that has worked, in its order. */
export async function shownMetrics(): Promise<ShownMetric[]> {
  return readMetrics((await workedMetrics().render()).body);
}

function workedMetrics(): ReturnType<typeof createMetrics> {
  const metrics = createMetrics({
    kind: { group: "source.strata.dev", version: "v1beta1", kind: "ArtifactRepository" },
    concurrent: 4,
  });
  const key = { namespace: "apps", name: "podinfo" };
  metrics.reconciled(key, "success", 1);
  metrics.registryRequest({ method: "GET", status: 200 });
  metrics.stage("resolve", 1);
  metrics.leading(true);
  metrics.trustedRoot({ refreshedAt: 1, result: "success" });
  metrics.queue.event({ type: "started", waitedMs: 1 });
  metrics.queue.event({ type: "finished", workedMs: 1 });
  metrics.queue.show(() => ({ depth: 0, running: 0, aside: 0, scheduled: 0, unfinishedMs: 0, longestRunningMs: 0 }));
  metrics.showStorage(async () => await Promise.resolve({ size: 2, free: 1 }));
  metrics.showResources(() => [{ key, ready: "True", stalled: false, suspended: false, url: "", revision: "" }]);
  return metrics;
}

interface Growing {
  readonly name: string;
  readonly help: string;
  type: string;
  readonly labels: Set<string>;
  readonly samples: Set<string>;
}

/** Reads Prometheus' text format as prom-client writes it. */
function readMetrics(text: string): ShownMetric[] {
  const found: Growing[] = [];
  for (const line of text.split("\n")) {
    const [, help, name = "", rest = ""] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
    const last = found.at(-1);
    if (help === "HELP") found.push({ name, help: rest, type: "", labels: new Set(), samples: new Set() });
    else if (help === "TYPE" && last !== undefined) last.type = rest;
    else if (last !== undefined) readSample(last, line);
  }
  return found;
}

function readSample(metric: Growing, line: string): void {
  const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
  if (name === undefined) return;
  metric.samples.add(name);
  for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) metric.labels.add(label);
}
