import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { replaceMarked } from "./document.ts";
import type { Measurement } from "./measure.ts";
import { figuresOf, type Row } from "./report.ts";
import { fitModel, leastSquares, renderScaling } from "./scaling.ts";

const nothing: Measurement = {
  wallMs: 0,
  cpuMs: 0,
  idleRssBytes: 0,
  peakRssBytes: 0,
  requests: 0,
  bytes: 0,
  loopDelayMs: 0,
};
const row = (name: string, change: Partial<Measurement>): Row => ({
  name,
  title: name,
  against: "nothing",
  rounds: 1,
  figures: { strata: figuresOf([{ ...nothing, ...change }]) },
});
/** 100 MB and 20 kB for each; 9 ms of CPU and 18 ms of time. */
const objects = (count: number): Row =>
  row(`objects-${count}`, { peakRssBytes: 1e8 + 20_000 * count, cpuMs: 9 * count, wallMs: 18 * count });
const rows = [
  objects(1000),
  objects(5000),
  objects(10_000),
  row("noop-small", { cpuMs: 6 }),
  row("restart-10000", { cpuMs: 12_000 }),
];

it.each([
  [[[0, 1] as const, [10, 21] as const], { base: 1, each: 2 }],
  [[[0, 0] as const, [1, 2] as const, [2, 1] as const], { base: 0.5, each: 0.5 }],
])("the nearest line to %j", (points, line) => {
  const found = leastSquares(points);
  expect(found.base).toBeCloseTo(line.base);
  expect(found.each).toBeCloseTo(line.each);
});

describe("the model", () => {
  it("is what was put in", () => {
    const model = fitModel(rows)!;
    expect(model.memory.each).toBeCloseTo(20_000);
    expect(model.memory.base).toBeCloseTo(1e8);
    expect(model).toMatchObject({ checkCpuMs: 6, restartCpuMs: 1.2 });
  });

  it.each(rows.map(({ name }) => name))("is none without %s", (name) => {
    expect(renderScaling(rows.filter((one) => one.name !== name))).toBeUndefined();
  });

  it("is checked against the largest row, where there is one", () => {
    expect(renderScaling(rows)).toContain("Not measured in this run.");
    const text = renderScaling([...rows, row("objects-20000", { peakRssBytes: 6e8, cpuMs: 180_000, wallMs: 400_000 })]);
    expect(text).toContain("| peak memory | 477 MiB | 572 MiB | -17 % |");
    expect(text).toContain("| time until all are ready | 360 s | 400 s | -10 % |");
  });

  it("says what 100,000 objects take, by as many processes as that needs", () => {
    // 167 checks a second, one core in all; no process has more than 20,000 objects.
    expect(renderScaling(rows)).toContain(
      "| 100,000 | 5 | 477 MiB | 166.7 /s | 20 % of a core | 900 s | 1800 s | 400,000 | 24.0 s |",
    );
  });
});

it("docs/scaling.md has the place for it", () => {
  const page = readFileSync(new URL("../docs/scaling.md", import.meta.url), "utf8");
  expect(replaceMarked(page, "new")).toContain("\n\nnew\n\n");
  expect(page.match(/<!-- bench: /g)).toHaveLength(2);
});
