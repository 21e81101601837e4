import { exponentialBuckets, Gauge, Histogram, type Registry } from "prom-client";
import type { ObjectKey } from "../kube/client.ts";

/** What dashboards show of an object. */
export interface ResourceInfo {
  readonly key: ObjectKey;
  readonly ready: "True" | "False" | "Unknown";
  /** Nothing is tried again before an edit or a move of upstream. */
  readonly stalled: boolean;
  readonly suspended: boolean;
  readonly url: string;
  readonly revision: string;
}

/** How many objects may have series of their own; with more, a scrape would hold up all else, and Prometheus with it. */
const most = Object.freeze({ durations: 500, infos: 2500 });
/** Series come back once there are clearly fewer objects. */
const backAt = 0.8;

interface LeftOut {
  /** How many objects have no series of their own in the metric. */
  set(metric: string, objects: number): void;
  /** After the metrics that it is about, since they are rendered in their order. */
  show(): void;
}

export function leftOutMetric(registry: Registry): LeftOut {
  const gauge = new Gauge({
    name: "strata_objects_without_series",
    help: "Objects that have no series of their own in a metric, because there are too many.",
    labelNames: ["metric"],
    registers: [],
  });
  return { set: (metric, objects) => gauge.set({ metric }, objects), show: () => registry.registerMetric(gauge) };
}

export interface Durations {
  observe(key: ObjectKey, seconds: number): void;
  remove(key: ObjectKey): void;
}

/** Where there are too many objects, all are one series, whose name and namespace are empty: sums by kind stay what they are. */
export function durationMetric(registry: Registry, kind: string, leftOut: LeftOut): Durations {
  const name = "gotk_reconcile_duration_seconds";
  const duration = new Histogram({
    name,
    help: "The duration in seconds of a reconcile of an object.",
    labelNames: ["kind", "name", "namespace"],
    // Ten buckets from 10 ms to 30 min, as Flux has them.
    buckets: exponentialBuckets(0.01, (1800 / 0.01) ** (1 / 9), 10),
    registers: [registry],
  });
  const known = new Set<string>();
  let isFull = false;
  const settle = (): void => {
    const wasFull = isFull;
    isFull = known.size > most.durations * (wasFull ? backAt : 1);
    if (isFull !== wasFull) duration.reset();
    leftOut.set(name, isFull ? known.size : 0);
  };
  settle();
  return {
    observe: ({ namespace, name }, seconds) => {
      known.add(`${namespace}/${name}`);
      settle();
      duration.observe(isFull ? { kind, name: "", namespace: "" } : { kind, name, namespace }, seconds);
    },
    remove: ({ namespace, name }) => {
      known.delete(`${namespace}/${name}`);
      duration.remove({ kind, name, namespace });
      settle();
    },
  };
}

/** Where there are too many objects, only those have series that are not ready, as far as there is room. */
export function infoMetric(
  registry: Registry,
  { group, version, kind }: Readonly<Record<"group" | "version" | "kind", string>>,
  list: () => Iterable<ResourceInfo>,
  leftOut: LeftOut,
): void {
  const name = "gotk_resource_info";
  const resource = { customresource_group: group, customresource_version: version, customresource_kind: kind };
  const metric = new Gauge({
    name,
    help: "The current state of an object.",
    labelNames: [...Object.keys(resource), "namespace", "name", "ready", "stalled", "suspended", "url", "revision"],
    registers: [],
    collect() {
      this.reset();
      const all = [...list()];
      const shown = all.length <= most.infos ? all : all.filter(({ ready }) => ready !== "True").slice(0, most.infos);
      leftOut.set(name, all.length - shown.length);
      for (const { key, ready, stalled, suspended, url, revision } of shown)
        this.set(
          {
            ...resource,
            namespace: key.namespace,
            name: key.name,
            ready,
            stalled: String(stalled),
            suspended: String(suspended),
            url,
            revision,
          },
          1,
        );
    },
  });
  registry.registerMetric(metric);
  leftOut.show();
}
