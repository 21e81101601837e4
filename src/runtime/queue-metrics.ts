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
  const { adds, retries, waiting, working } = queueSeries(registry, Object.keys(labels));
  adds.inc(labels, 0);
  retries.inc(labels, 0);
  const most = new Gauge({
    name: "controller_runtime_max_concurrent_reconciles",
    help: "How many objects may be reconciled at once.",
    labelNames: ["controller"],
    registers: [registry],
  });
  most.set({ controller }, concurrent);
  return {
    event: (event) => {
      if (event.type === "added") adds.inc(labels);
      else if (event.type === "retried") retries.inc(labels);
      else if (event.type === "started") waiting.observe(labels, event.waitedMs / 1000);
      else working.observe(labels, event.workedMs / 1000);
    },
    show: (state) => {
      for (const gauge of gauges) showGauge(registry, gauge, labels, state);
    },
  };
}

function queueSeries(registry: Registry, labelNames: string[]) {
  const counter = (name: string, help: string): Counter =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const histogram = (name: string, help: string): Histogram =>
    new Histogram({ name, help, labelNames, registers: [registry], buckets: exponentialBuckets(1e-8, 10, 12) });
  return {
    adds: counter("workqueue_adds_total", "Objects that were added to the queue."),
    retries: counter("workqueue_retries_total", "Objects that were added to the queue again with back-off."),
    waiting: histogram("workqueue_queue_duration_seconds", "How long objects waited in the queue."),
    working: histogram("workqueue_work_duration_seconds", "How long it took to process objects."),
  };
}

interface QueueGauge {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly ("name" | "controller")[];
  readonly value: (state: QueueState) => number;
}

const gauges: readonly QueueGauge[] = [
  {
    name: "workqueue_depth",
    help: "Objects that wait for a worker.",
    labels: ["name", "controller"],
    value: ({ depth }) => depth,
  },
  {
    name: "workqueue_unfinished_work_seconds",
    help: "How long all running work has taken so far.",
    labels: ["name", "controller"],
    value: ({ unfinishedMs }) => unfinishedMs / 1000,
  },
  {
    name: "workqueue_longest_running_processor_seconds",
    help: "How long the longest running work has taken so far.",
    labels: ["name", "controller"],
    value: ({ longestRunningMs }) => longestRunningMs / 1000,
  },
  {
    name: "controller_runtime_active_workers",
    help: "Objects that have a worker.",
    labels: ["controller"],
    value: ({ running }) => running,
  },
  {
    name: "strata_reconciles_aside",
    help: "Objects that are reconciled without a worker: they wait for a registry, or transfer much.",
    labels: ["controller"],
    value: ({ aside }) => aside,
  },
];

function showGauge(
  registry: Registry,
  { name, help, labels: labelNames, value }: QueueGauge,
  labels: { readonly name: string; readonly controller: string },
  state: () => QueueState,
): void {
  const shown = Object.fromEntries(labelNames.map((label) => [label, labels[label]]));
  const metric = new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [],
    collect() {
      this.set(shown, value(state()));
    },
  });
  registry.registerMetric(metric);
}
