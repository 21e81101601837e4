import { setImmediate } from "node:timers/promises";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ObjectKey } from "../kube/client.ts";
import { durationMetric, infoMetric, leftOutMetric, type ResourceInfo } from "./object-series.ts";
import { queueMetrics, type QueueMetrics } from "./queue-metrics.ts";
import { storageMetrics, type StorageSpace } from "./storage-metrics.ts";
import { trustMetrics, type TrustedRootState } from "./trust-metrics.ts";

export type ReconcileResult = "success" | "error" | "requeue_after";

export interface MetricsOptions {
  /** What is reconciled. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly concurrent: number;
}

/** What the process counts and times, for Prometheus. No method fails; times are ms. */
export interface Metrics {
  readonly queue: QueueMetrics;
  reconciled(key: ObjectKey, result: ReconcileResult, milliseconds: number): void;
  /** Drops the series of an object that is gone. */
  deleted(key: ObjectKey): void;
  /** `status` is 0 where no response came. */
  registryRequest(request: { readonly method: string; readonly status: number }): void;
  downloaded(bytes: number): void;
  reused(bytes: number): void;
  stage(name: string, milliseconds: number): void;
  leading(isLeader: boolean): void;
  trustedRoot(state: TrustedRootState): void;
  /** Asked at each scrape. */
  showResources(list: () => Iterable<ResourceInfo>): void;
  /** Asked at each scrape. */
  showStorage(space: () => Promise<StorageSpace>): void;
  /** The text that Prometheus reads. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/**
 * Names and labels are those of Flux's controllers, of controller-runtime and, for `gotk_resource_info`, of the kube-state-metrics
 * configuration that Flux's dashboards expect; what only Strata has begins with `strata_`.
 */
export function createMetrics({ kind, concurrent }: MetricsOptions): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const controller = kind.kind.toLowerCase();
  const leftOut = leftOutMetric(registry);
  const leader = new Gauge({
    name: "leader_election_master_status",
    help: "Whether this replica leads.",
    labelNames: ["name"],
    registers,
  });
  return {
    queue: queueMetrics(registry, { controller, concurrent }),
    ...reconcileMetrics(registry, kind.kind, leftOut),
    ...transferMetrics(registry),
    ...trustMetrics(registry),
    leading: (isLeader) => leader.set({ name: "strata-controller-leader-election" }, isLeader ? 1 : 0),
    showResources: (list) => infoMetric(registry, kind, list, leftOut),
    showStorage: (space) => storageMetrics(registry, space),
    render: async () => ({ contentType: registry.contentType, body: await inSlices(registry) }),
  };
}

/** Metric by metric, and between them everything else has its turn. */
async function inSlices(registry: Registry): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    texts.push(await registry.getSingleMetricAsString(name));
    await setImmediate();
  }
  return `${texts.join("\n\n")}\n`;
}

function reconcileMetrics(
  registry: Registry,
  kind: string,
  leftOut: ReturnType<typeof leftOutMetric>,
): Pick<Metrics, "reconciled" | "deleted"> {
  const controller = kind.toLowerCase();
  const duration = durationMetric(registry, kind, leftOut);
  const { total, errors, time } = controllerSeries([registry]);
  for (const result of ["success", "error", "requeue_after", "requeue"]) total.inc({ controller, result }, 0);
  errors.inc({ controller }, 0);
  return {
    reconciled: (key, result, milliseconds) => {
      duration.observe(key, milliseconds / 1000);
      time.observe({ controller }, milliseconds / 1000);
      total.inc({ controller, result });
      if (result === "error") errors.inc({ controller });
    },
    deleted: (key) => duration.remove(key),
  };
}

/** As controller-runtime has them. */
function controllerSeries(registers: Registry[]) {
  return {
    total: new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by result.",
      labelNames: ["controller", "result"],
      registers,
    }),
    errors: new Counter({
      name: "controller_runtime_reconcile_errors_total",
      help: "Reconciles that failed.",
      labelNames: ["controller"],
      registers,
    }),
    time: new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "The duration in seconds of all reconciles.",
      labelNames: ["controller"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    }),
  };
}

function transferMetrics(registry: Registry): Pick<Metrics, "registryRequest" | "downloaded" | "reused" | "stage"> {
  const registers = [registry];
  const requests = new Counter({
    name: "strata_registry_requests_total",
    help: "Requests to registries by method and status; 0 where no response came.",
    labelNames: ["method", "status"],
    registers,
  });
  const downloaded = new Counter({
    name: "strata_downloaded_bytes_total",
    help: "Bytes of layers that were fetched from registries.",
    registers,
  });
  const reused = new Counter({
    name: "strata_reused_bytes_total",
    help: "Bytes of artifacts that were stored already and not fetched again.",
    registers,
  });
  const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
  const stages = new Histogram({
    name: "strata_stage_duration_seconds",
    help: "The duration in seconds of a stage of a reconcile.",
    labelNames: ["stage"],
    buckets,
    registers,
  });
  return {
    registryRequest: ({ method, status }) => requests.inc({ method, status: String(status) }),
    downloaded: (bytes) => downloaded.inc(bytes),
    reused: (bytes) => reused.inc(bytes),
    stage: (stage, milliseconds) => stages.observe({ stage }, milliseconds / 1000),
  };
}
