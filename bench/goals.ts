import { floorMs } from "./limits.ts";
import type { Figures, Report, Row } from "./report.ts";
import { factor } from "./statistics.ts";
import { formatFactor, mebibytes, megabytes, seconds } from "./table.ts";

/** A goal, what was measured, and whether that reaches it. */
export interface Verdict {
  readonly goal: string;
  readonly measured: string;
  /** Undefined where the run did not measure it. */
  readonly reached: boolean | undefined;
}

interface Goal {
  readonly goal: string;
  /** Undefined where a figure is missing. */
  readonly judge: (rows: Rows, limits: Report["limits"]) => Omit<Verdict, "goal"> | undefined;
}

type Rows = ReadonlyMap<string, Row>;

const MiB = 2 ** 20;

const goals: readonly Goal[] = [
  {
    goal: "extract 100 MB with nothing to change: a tenth of source-controller's CPU",
    judge: times("extract-big", "cpuMs", 10),
  },
  {
    goal: "extract 100 MB with nothing to change: an eighth of its wall time",
    judge: times("extract-big", "wallMs", 8),
  },
  { goal: "extract 100 MB with ignored paths: a quarter of its CPU", judge: times("extract-ignore", "cpuMs", 4) },
  {
    goal: "ExtractAll of two layers of 50 MB: a quarter of its CPU for the same bytes",
    judge: times("extract-all", "cpuMs", 4),
  },
  nearLimit("extract-big", "100 MB in 25,000 files", { megabytes: 100, isChanged: false, most: 1.6 }),
  nearLimit("extract-few", "100 MB in 1,000 files", { megabytes: 100, isChanged: false, most: 1.6 }),
  nearLimit("extract-huge", "1 GB in 10,000 files", { megabytes: 1000, isChanged: false, most: 1.6 }),
  nearLimit("extract-ignore", "100 MB with ignored paths", { megabytes: 100, isChanged: true, most: 1.2 }),
  nearLimit("extract-all", "ExtractAll of two layers of 50 MB", { megabytes: 100, isChanged: true, most: 1.2 }),
  { goal: "copy of 100 MB: no more CPU", judge: times("copy-big", "cpuMs", 1) },
  ...share("build-directory", "`strata build` of 100 MB → directory against `flux pull artifact`", [0.8, 1.2]),
  ...share("build-all", "two layers of 100 MB → directory against `timoni mod pull`", [0.6, 1]),
  { goal: "first reconcile: 3 registry requests", judge: atMost("extract-small", "requests", 3, String) },
  { goal: "nothing new: 1 registry request", judge: atMost("noop-small", "requests", 1, String) },
  { goal: "nothing new: the same CPU whatever the size", judge: constantNoOp },
  { goal: "1,000 objects: 2.2 times less wall time", judge: times("objects-1000", "wallMs", 2.2) },
  { goal: "1,000 objects: 2.8 times less CPU", judge: times("objects-1000", "cpuMs", 2.8) },
  {
    goal: "40 kB beside ten downloads of 300 MB: ready in 5 s",
    judge: atMost("fairness", "wallMs", 5000, seconds),
  },
  { goal: "every row: 99 % of the delays of the event loop at most 50 ms", judge: worstDelay },
  { goal: "10,000 objects: 20 kB of memory an object", judge: memoryPerObject("objects-10000", 10_000) },
  { goal: "20,000 objects: 20 kB of memory an object", judge: memoryPerObject("objects-20000", 20_000) },
  { goal: "a scrape with 10,000 objects: 100 ms", judge: atMost("scrape-10000", "wallMs", 100, seconds) },
  { goal: "a scrape with 10,000 objects: 2 MB", judge: atMost("scrape-10000", "bytes", 2e6, megabytes) },
  {
    goal: "restart with 10,000 stored artifacts: 1.5 ms of CPU an object",
    judge: atMost("restart-10000", "cpuMs", 15_000, (ms) => `${(ms / 10_000).toFixed(1)} ms`),
  },
  {
    goal: "1,000 objects that ask once a minute: after a restart at most 3 times their 83 requests in 5 s",
    judge: atMost("restart-rate", "requests", 250, String),
  },
  { goal: "1,000 objects: no more memory", judge: times("objects-1000", "peakRssBytes", 1) },
  {
    goal: "1,000 objects with one reference: one HEAD and one download between them (3 requests)",
    judge: atMost("objects-shared", "requests", 3, String),
  },
  {
    goal: "1,000 new versions with the same layers: manifests alone (1 MB; the layers have 22 MB)",
    judge: atMost("retag", "bytes", 1e6, megabytes),
  },
  { goal: "1,000 new versions with the same layers: 1.5 s of CPU", judge: atMost("retag", "cpuMs", 1500, seconds) },
  {
    goal: "memory while extracting 1 GB: at most 64 MiB more than before",
    judge: memoryGrowth("extract-huge", 64 * MiB),
  },
  { goal: "ready in half a second", judge: atMost("start", "wallMs", 500, seconds) },
  { goal: "`strata --help`: 80 ms", judge: atMost("help", "wallMs", 80, seconds) },
  { goal: "at most 80 MiB idle", judge: atMost("start", "idleRssBytes", 80 * MiB, mebibytes) },
];

export function judgeGoals({ rows, limits }: Pick<Report, "rows" | "limits">): readonly Verdict[] {
  const byName = new Map(rows.map((row) => [row.name, row]));
  return goals.map(({ goal, judge }) => {
    const { measured, reached } = judge(byName, limits) ?? { measured: "not measured in this run", reached: undefined };
    return { goal, measured, reached };
  });
}

export function renderGoals(verdicts: readonly Verdict[]): string {
  const word = { true: "reached", false: "**not reached**", undefined: "–" } as const;
  return [
    "| goal | measured | |",
    "| --- | --- | --- |",
    ...verdicts.map(({ goal, measured, reached }) => `| ${goal} | ${measured} | ${word[`${reached}`]} |`),
  ].join("\n");
}

function times(name: string, key: keyof Figures, least: number): Goal["judge"] {
  return (rows) => {
    const { strata, flux } = rows.get(name)?.figures ?? {};
    const found = strata && flux && factor(strata[key].median, flux[key].median);
    return found === undefined ? undefined : { measured: formatFactor(found), reached: found >= least };
  };
}

function atMost(name: string, key: keyof Figures, most: number, format: (value: number) => string): Goal["judge"] {
  return (rows) => {
    const found = rows.get(name)?.figures.strata?.[key].median;
    return found === undefined ? undefined : { measured: format(found), reached: found <= most };
  };
}

/** At most so many times what this machine needs for the same with the same libraries. */
function nearLimit(
  name: string,
  what: string,
  { megabytes, isChanged, most }: { readonly megabytes: number; readonly isChanged: boolean; readonly most: number },
): Goal {
  return {
    goal: `${what}: ${most.toFixed(1)} times the limit below`,
    judge: (rows, limits) => {
      const found = rows.get(name)?.figures.strata?.cpuMs.median;
      if (found === undefined) return undefined;
      const times = found / floorMs(limits, megabytes, isChanged);
      return { measured: `${times.toFixed(2)}×`, reached: times <= most };
    },
  };
}

/** At most these shares of the other's wall and CPU time. */
function share(name: string, what: string, [wall, cpu]: readonly [wall: number, cpu: number]): readonly Goal[] {
  const judge = (key: keyof Figures, most: number): Goal["judge"] => {
    return (rows) => {
      const { strata, flux } = rows.get(name)?.figures ?? {};
      if (strata === undefined || flux === undefined) return undefined;
      const found = strata[key].median / flux[key].median;
      return { measured: found.toFixed(2), reached: found <= most };
    };
  };
  return [
    { goal: `${what}: ${wall.toFixed(1)} of the wall time`, judge: judge("wallMs", wall) },
    { goal: `${what}: ${cpu.toFixed(1)} of the CPU`, judge: judge("cpuMs", cpu) },
  ];
}

function worstDelay(rows: Rows): ReturnType<Goal["judge"]> {
  const delayOf = (row: Row): number => row.figures.strata?.loopDelayMs.median ?? 0;
  const [worst] = [...rows.values()].toSorted((a, b) => delayOf(b) - delayOf(a));
  if (worst === undefined || delayOf(worst) === 0) return undefined;
  return { measured: `${seconds(delayOf(worst))} in ${worst.title}`, reached: delayOf(worst) <= 50 };
}

function memoryPerObject(name: string, count: number): Goal["judge"] {
  return (rows) => {
    const strata = rows.get(name)?.figures.strata;
    if (strata === undefined) return undefined;
    const kilobytes = (strata.peakRssBytes.median - strata.idleRssBytes.median) / count / 1000;
    return { measured: `${kilobytes.toFixed(1)} kB`, reached: kilobytes <= 20 };
  };
}

function memoryGrowth(name: string, most: number): Goal["judge"] {
  return (rows) => {
    const strata = rows.get(name)?.figures.strata;
    if (strata === undefined) return undefined;
    const growth = strata.peakRssBytes.median - strata.idleRssBytes.median;
    return {
      measured: `${mebibytes(growth)} more than ${mebibytes(strata.idleRssBytes.median)}`,
      reached: growth <= most,
    };
  };
}

/** Twice the CPU, or a tick of the kernel's clock, is within what such short work can be measured to. */
function constantNoOp(rows: Rows): ReturnType<Goal["judge"]> {
  const small = rows.get("noop-small")?.figures.strata?.cpuMs.median;
  const big = rows.get("noop-big")?.figures.strata?.cpuMs.median;
  if (small === undefined || big === undefined) return undefined;
  return {
    measured: `${seconds(big)} for 100 MB, ${seconds(small)} for 40 kB`,
    reached: big <= Math.max(2 * small, small + 10),
  };
}
