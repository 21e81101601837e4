import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { shownMetrics } from "../src/testing/operations/series.ts";

const component = join(import.meta.dirname, "components/monitoring");
const read = (name: string): string => readFileSync(join(component, name), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly annotations: Record<string, string>;
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}
interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

const { spec } = parse(read("rules.yaml")) as { spec: { groups: { rules: Rule[] }[] } };
const rules = spec.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read("dashboard.json")) as { panels: Panel[] };
const panels = dashboard.panels.filter(({ targets }) => targets !== undefined);

/** Grafana puts a duration and a pattern in these places. */
const filledIn = (expr: string): string => expr.replaceAll("$__rate_interval", "5m").replaceAll("$namespace", ".*");

/** The series that an expression asks for. @throws Error where it is not PromQL */
function selectorsOf(expr: string): Selector[] {
  const text = filledIn(expr);
  const found: { metric: string; labels: string[] }[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`${text} is not PromQL at ${from}`);
      if (type.name === "VectorSelector") found.push({ metric: "", labels: [] });
      if (type.name === "Identifier" && found.at(-1)?.metric === "") found.at(-1)!.metric = text.slice(from, to);
      if (type.name === "LabelName" && found.length > 0) found.at(-1)!.labels.push(text.slice(from, to));
    },
  });
  return found;
}

/** Names of lines and their labels; Prometheus adds the pod. */
async function shownSeries(): Promise<Map<string, ReadonlySet<string>>> {
  const metrics = await shownMetrics();
  return new Map(
    metrics.flatMap(({ samples, labels }) => [...samples].map((name) => [name, new Set([...labels, "pod"])] as const)),
  );
}

describe("what is asked of Prometheus", () => {
  let series: Map<string, ReadonlySet<string>>;
  beforeAll(async () => {
    series = await shownSeries();
  });
  const expressions = [
    ...rules.map(({ alert, expr }) => ({ from: `alert ${alert}`, expr })),
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ from: `panel ${title}`, expr }))),
  ];

  it.each(expressions)("$from: $expr", ({ expr }) => {
    const selectors = selectorsOf(expr);
    expect(selectors.length).toBeGreaterThan(0);
    for (const { metric, labels } of selectors) {
      expect([...series.keys()]).toContain(metric);
      expect([...series.get(metric)!]).toEqual(expect.arrayContaining([...labels]));
    }
  });

  it("is PromQL: what is not is found", () => {
    expect(() => selectorsOf("sum(rate(x[5m])")).toThrow("is not PromQL");
  });
});

it("each alert says what it means, what to do, and for how long it waits", () => {
  expect(rules.length).toBeGreaterThanOrEqual(6);
  for (const { alert, annotations, for: wait } of rules) {
    expect(alert).toMatch(/^Strata[A-Z]/);
    expect(wait).toMatch(/^\d+m$/);
    expect(Object.keys(annotations)).toEqual(["summary", "description", "runbook_url"]);
    const page = annotations["runbook_url"]!.replace(/^.*\/blob\/main\//, "");
    expect(readFileSync(join(import.meta.dirname, "..", page), "utf8")).not.toBe("");
  }
});

it("the panels of the dashboard do not cover each other", () => {
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  for (const [at, { gridPos: a }] of dashboard.panels.entries()) {
    expect(a.x + a.w).toBeLessThanOrEqual(24);
    for (const { gridPos: b } of dashboard.panels.slice(at + 1)) {
      expect(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y).toBe(true);
    }
  }
});
