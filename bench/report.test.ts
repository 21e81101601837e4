import { describe, expect, it } from "vitest";
import { casesFor } from "./cases.ts";
import { renderChart } from "./chart.ts";
import { replaceMarked } from "./document.ts";
import { judgeGoals, renderGoals, type Verdict } from "./goals.ts";
import type { Measurement } from "./measure.ts";
import { figuresOf, orderOf, thisMachine, type Figures, type Report, type Row } from "./report.ts";
import { renderFacts, renderTable, seconds } from "./table.ts";

const MiB = 2 ** 20;

function figures(change: Partial<Measurement> = {}): Figures {
  return figuresOf([
    {
      wallMs: 1000,
      cpuMs: 500,
      idleRssBytes: 70 * MiB,
      peakRssBytes: 80 * MiB,
      requests: 3,
      bytes: 55_000_000,
      loopDelayMs: 20,
      ...change,
    },
  ]);
}

function row(name: string, strata?: Partial<Measurement>, flux?: Partial<Measurement>): Row {
  return {
    name,
    title: `the <${name}>`,
    against: "source-controller",
    rounds: 1,
    figures: { ...(strata && { strata: figures(strata) }), ...(flux && { flux: figures(flux) }) },
  };
}

it("figures are medians with extremes", () => {
  const all = [3, 1, 2].map((n) => ({
    wallMs: n * 100,
    cpuMs: n,
    idleRssBytes: 1,
    peakRssBytes: n,
    requests: 3,
    bytes: n,
    loopDelayMs: n,
  }));
  expect(figuresOf(all)).toMatchObject({
    wallMs: { median: 200, min: 100, max: 300 },
    requests: { median: 3, min: 3, max: 3 },
  });
  expect(() => figuresOf([])).toThrow(RangeError);
});

it("the two take turns at being first", () => {
  expect([0, 1, 2].map(orderOf)).toEqual([
    ["strata", "flux"],
    ["flux", "strata"],
    ["strata", "flux"],
  ]);
});

it.each([
  [0, "0.0 ms"],
  [4.56, "4.6 ms"],
  [456, "456 ms"],
  [4560, "4.6 s"],
  [456_000, "456 s"],
])("%d ms reads %s", (ms, expected) => {
  expect(seconds(ms)).toBe(expected);
});

describe("the table", () => {
  it("has ours, theirs and the factor", () => {
    const table = renderTable([row("a", { wallMs: 100, cpuMs: 2000 }, { wallMs: 1250, cpuMs: 1000, requests: 5 })]);
    expect(table.split("\n")[2]).toBe(
      "| the <a> | 100 ms / 1.3 s (13×) | 2.0 s / 1.0 s (0.5×) | 80 MiB / 80 MiB (1.0×) | 20 ms | 3 / 5 | 55 MB / 55 MB |",
    );
  });

  it("has gaps where nothing was measured", () => {
    const [, , ours, theirs, neither] = renderTable([
      row("ours", {}),
      row("theirs", undefined, {}),
      row("neither"),
    ]).split("\n");
    expect(ours).toContain("| 1.0 s / – |");
    expect(theirs).toContain("| – / 1.0 s |");
    expect(neither).toBe("| the <neither> | – | – | – | – | – | – |");
  });

  it("gives no factor of nothing", () => {
    expect(renderTable([row("idle", { cpuMs: 0 }, {})])).toContain("| 0.0 ms / 500 ms |");
  });
});

describe("goals", () => {
  const limits = { inflate: 250, sha256: 2000, deflate: 100, deflateLevel: 3, ratio: 1 };
  const verdict = (goal: RegExp, rows: readonly Row[]): Verdict => {
    const found = judgeGoals({ rows, limits }).filter((one) => goal.test(one.goal));
    expect(found).toHaveLength(1);
    return found[0]!;
  };

  it.each<[RegExp, readonly Row[], boolean, string]>([
    [/a tenth of .* CPU/, [row("extract-big", { cpuMs: 500 }, { cpuMs: 5000 })], true, "10×"],
    [/a tenth of .* CPU/, [row("extract-big", { cpuMs: 501 }, { cpuMs: 5000 })], false, "10.0×"],
    [/3 registry requests$/, [row("extract-small", { requests: 3 })], true, "3"],
    [/3 registry requests$/, [row("extract-small", { requests: 4 })], false, "4"],
    [/1 registry request$/, [row("noop-small", { requests: 1 })], true, "1"],
    [
      /whatever the size/,
      [row("noop-small", { cpuMs: 2 }), row("noop-big", { cpuMs: 12 })],
      true,
      "12 ms for 100 MB, 2.0 ms for 40 kB",
    ],
    [
      /whatever the size/,
      [row("noop-small", { cpuMs: 20 }), row("noop-big", { cpuMs: 41 })],
      false,
      "41 ms for 100 MB, 20 ms for 40 kB",
    ],
    [/2\.8 times less CPU/, [row("objects-1000", { cpuMs: 10 }, { cpuMs: 27 })], false, "2.7×"],
    // The limit is 500 ms for 100 MB, and 1,550 ms where they are compressed again.
    [/25,000 files: 1\.6 times the limit/, [row("extract-big", { cpuMs: 800 })], true, "1.60×"],
    [/10,000 files: 1\.6 times the limit/, [row("extract-huge", { cpuMs: 8050 })], false, "1.61×"],
    [/ExtractAll .* 1\.2 times the limit/, [row("extract-all", { cpuMs: 1800 })], true, "1.16×"],
    [/ignored paths: 1\.2 times the limit/, [row("extract-ignore", { cpuMs: 1950 })], false, "1.26×"],
    [/copy/, [row("copy-big", { cpuMs: 300 }, { cpuMs: 290 })], false, "1.0×"],
    [/once a minute/, [row("restart-rate", { requests: 251 })], false, "251"],
    [/--help/, [row("help", { wallMs: 80 })], true, "80 ms"],
    [/1,000 objects: no more memory/, [row("objects-1000", { peakRssBytes: 90 }, { peakRssBytes: 90 })], true, "1.0×"],
    [
      /extracting 1 GB/,
      [row("extract-huge", { idleRssBytes: 80 * MiB, peakRssBytes: 144 * MiB })],
      true,
      "64 MiB more than 80 MiB",
    ],
    [
      /extracting 1 GB/,
      [row("extract-huge", { idleRssBytes: 80 * MiB, peakRssBytes: 145 * MiB })],
      false,
      "65 MiB more than 80 MiB",
    ],
    [/half a second/, [row("start", { wallMs: 501 })], false, "501 ms"],
    [/flux.* 0\.8 of the wall/, [row("build-directory", { wallMs: 800 }, { wallMs: 1000 })], true, "0.80"],
    [/timoni.* 1\.0 of the CPU/, [row("build-all", { cpuMs: 1010 }, { cpuMs: 1000 })], false, "1.01"],
    [/event loop/, [row("a", { loopDelayMs: 50 }), row("b", { loopDelayMs: 12 })], true, "50 ms in the <a>"],
    [/event loop/, [row("a", { loopDelayMs: 12 }), row("b", { loopDelayMs: 51 })], false, "51 ms in the <b>"],
    [/beside ten downloads/, [row("fairness", { wallMs: 5001 })], false, "5.0 s"],
    [/10,000 objects: 20 kB/, [row("objects-10000", { idleRssBytes: 1e8, peakRssBytes: 3e8 })], true, "20.0 kB"],
    [/20,000 objects: 20 kB/, [row("objects-20000", { idleRssBytes: 1e8, peakRssBytes: 5.1e8 })], false, "20.5 kB"],
    [/scrape .* 2 MB/, [row("scrape-10000", { bytes: 2_100_000 })], false, "2.1 MB"],
    [/restart .* an object/, [row("restart-10000", { cpuMs: 15_000 })], true, "1.5 ms"],
    [/idle$/, [row("start", { idleRssBytes: 80 * MiB })], true, "80 MiB"],
  ])("%s", (goal, rows, reached, measured) => {
    expect(verdict(goal, rows)).toMatchObject({ reached, measured });
  });

  it("are neither reached nor missed where nothing was measured", () => {
    expect(judgeGoals({ rows: [], limits }).every(({ reached }) => reached === undefined)).toBe(true);
    expect(verdict(/timoni.* wall/, [row("build-all", {})]).reached).toBeUndefined();
  });

  it("are about rows that exist", () => {
    const all = casesFor(1).map(({ name }) => row(name, {}, {}));
    expect(judgeGoals({ rows: all, limits }).filter(({ reached }) => reached === undefined)).toEqual([]);
  });

  it("are listed with their outcome", () => {
    const text = renderGoals([
      { goal: "a", measured: "1", reached: true },
      { goal: "b", measured: "2", reached: false },
      { goal: "c", measured: "3", reached: undefined },
    ]);
    expect(text.split("\n").slice(2)).toEqual(["| a | 1 | reached |", "| b | 2 | **not reached** |", "| c | 3 | – |"]);
  });
});

describe("the chart", () => {
  const chart = renderChart([
    row("quick", { wallMs: 100, cpuMs: 500 }, { wallMs: 1000 }),
    row("slow", { wallMs: 9000 }, { wallMs: 1000 }),
    row("alone", {}),
  ]);

  it("has a pair of bars for each row that has a rival", () => {
    expect(chart.match(/<rect x="300"/g)).toHaveLength(4);
    expect(chart).toContain("the &lt;quick&gt;");
    expect(chart).not.toContain("alone");
  });

  it("keeps bars in their place", () => {
    const widths = [...chart.matchAll(/<rect x="300" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toEqual([27.2, 272, 340, 272]);
    expect(chart).toContain("9.0 s of 1.0 s (0.1×)");
  });
});

describe("docs/performance.md", () => {
  const begin = "<!-- bench: begin. Written by `npm run bench -- --write`. -->";
  const end = "<!-- bench: end -->";

  it("gets the table at its end at first", () => {
    expect(replaceMarked("# Performance\n", "new")).toBe(`# Performance\n\n${begin}\n\nnew\n\n${end}\n`);
  });

  it("keeps the text around the table", () => {
    const first = replaceMarked("# Performance\n", "old");
    expect(replaceMarked(`${first}\nafter\n`, "new")).toBe(`# Performance\n\n${begin}\n\nnew\n\n${end}\n\nafter\n`);
  });

  it.each([`text ${begin} text`, `text ${end} text`, `${end} ${begin}`])(
    "with broken marks is left alone: %s",
    (text) => {
      expect(() => replaceMarked(text, "new")).toThrow(/marks/);
    },
  );
});

it("the facts name the machine, but nothing of its file system", () => {
  const report: Report = {
    date: "2026-11-21",
    machine: thisMachine(),
    versions: { node: process.version },
    flags: ["--concurrent=10"],
    limits: { inflate: 500, sha256: 1000, deflate: 200, deflateLevel: 3, ratio: 0.5 },
    rows: [{ ...row("a", {}, {}), note: "as it is" }],
  };
  const facts = renderFacts(report);
  expect(facts).toContain(`${report.machine.cores} cores`);
  expect(facts).toContain(`node ${process.version}`);
  expect(facts).toContain("- the <a>: as it is");
  expect(facts).not.toMatch(/\/(home|root|tmp|work)\b/);
});
