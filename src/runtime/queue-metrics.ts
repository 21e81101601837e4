import { Counter, exponentialBuckets, Gauge, Histogram, type Registry } from "prom-client";
import type { QueueEvent, QueueState } from "../kube/run/queue.ts";

export interface QueueMetrics {
  event(event: QueueEvent): void;
  /** Asked at each scrape. */
  show(state: () => QueueState): void;
}

/** The metrics of client-go's work queues and of controller-runtime's workers. */
export function queueMetrics(
  registry: Registry,
  { controller, concurrent }: { readonly controller: string; readonly concurrent: number },
): QueueMetrics {
  const labels = { name: controller, controller };
  const common = { labelNames: Object.keys(labels), registers: [registry] };
  const buckets = exponentialBuckets(1e-8, 10, 12);
  const adds = new Counter({ ...common, name: "workqueue_adds_total", help: "Objects that were added to the queue." });
  const retries = new Counter({
    ...common,
    name: "workqueue_retries_total",
    help: "Objects that were added to the queue again with back-off.",
  });
  const waiting = new Histogram({
    ...common,
    name: "workqueue_queue_duration_seconds",
    help: "How long objects waited in the queue.",
    buckets,
  });
  const working = new Histogram({
    ...common,
    name: "workqueue_work_duration_seconds",
    help: "How long it took to process objects.",
    buckets,
  });
  const most = new Gauge({
    name: "controller_runtime_max_concurrent_reconciles",
    help: "How many objects may be reconciled at once.",
    labelNames: ["controller"],
    registers: [registry],
  });
  most.set({ controller }, concurrent);
  adds.inc(labels, 0);
  retries.inc(labels, 0);
  return {
    event: (event) => {
      if (event.type === "added") adds.inc(labels);
      else if (event.type === "retried") retries.inc(labels);
      else if (event.type === "started") waiting.observe(labels, event.waitedMs / 1000);
      else working.observe(labels, event.workedMs / 1000);
    },
    show: (state) => showState(registry, labels, state),
  };
}

function showState(
  registry: Registry,
  labels: { readonly name: string; readonly controller: string },
  state: () => QueueState,
): void {
  const { controller } = labels;
  const gauge = (
    name: string,
    help: string,
    labels: Record<string, string>,
    value: (state: QueueState) => number,
  ): void => {
    const metric = new Gauge({
      name,
      help,
      labelNames: Object.keys(labels),
      registers: [],
      collect() {
        this.set(labels, value(state()));
      },
    });
    registry.registerMetric(metric);
  };
  gauge("workqueue_depth", "Objects that wait for a worker.", labels, ({ depth }) => depth);
  gauge(
    "workqueue_unfinished_work_seconds",
    "How long all running work has taken so far.",
    labels,
    ({ unfinishedMs }) => unfinishedMs / 1000,
  );
  gauge(
    "workqueue_longest_running_processor_seconds",
    "How long the longest running work has taken so far.",
    labels,
    ({ longestRunningMs }) => longestRunningMs / 1000,
  );
  gauge(
    "controller_runtime_active_workers",
    "Objects that are being reconciled.",
    { controller },
    ({ running }) => running,
  );
}
