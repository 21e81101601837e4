import type { Row } from "./report.ts";
import { count, mebibytes, seconds } from "./table.ts";

/** What grows with the number of objects, fitted to the rows of many objects. */
export interface Model {
  /** Resident bytes without objects, and for each. */
  readonly memory: Line;
  /** CPU of first reconciles, in ms. */
  readonly firstCpu: Line;
  /** From the first object that is made until all are ready, in ms. */
  readonly firstWall: Line;
  /** CPU of a check at which the registry has nothing new, in ms. */
  readonly checkCpuMs: number;
  /** CPU of a restart, in ms for each object. */
  readonly restartCpuMs: number;
}

interface Line {
  readonly base: number;
  readonly each: number;
}

/** What the model is fitted to; it is checked against `largest`. */
const fitted = { "objects-1000": 1000, "objects-5000": 5000, "objects-10000": 10_000 } as const;
const largest = { name: "objects-20000", objects: 20_000 } as const;
/** Of a check for one object. */
const interval = { text: "10m", seconds: 600 } as const;
/** As src/controller/writes.test.ts counts them: the ExternalArtifact, its status, the object's status, an event. */
const firstWrites = 4;
/** One process has no more than were measured, and spends no more of a core on checks. */
const shard = { objects: 20_000, cores: 0.5 } as const;

/** Undefined where a row is missing. */
export function fitModel(rows: readonly Row[]): Model | undefined {
  const figures = (name: string) => rows.find((row) => row.name === name)?.figures.strata;
  const [check, restart] = [figures("noop-small"), figures("restart-10000")];
  const points = Object.entries(fitted).flatMap(([name, objects]) => {
    const found = figures(name);
    return found ? [{ objects, found }] : [];
  });
  if (check === undefined || restart === undefined || points.length < Object.keys(fitted).length) return undefined;
  const fit = (key: "peakRssBytes" | "cpuMs" | "wallMs"): Line =>
    leastSquares(points.map(({ objects, found }) => [objects, found[key].median]));
  return {
    memory: fit("peakRssBytes"),
    firstCpu: fit("cpuMs"),
    firstWall: fit("wallMs"),
    checkCpuMs: check.cpuMs.median,
    restartCpuMs: restart.cpuMs.median / fitted["objects-10000"],
  };
}

/** The line that is nearest to the points, by squares of the distances in y. */
export function leastSquares(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const each = over / under;
  return { base: meanY - each * meanX, each };
}

const at = ({ base, each }: Line, objects: number): number => base + each * objects;

/** The model, its check and what it says, as Markdown; undefined where the run has not measured it. */
export function renderScaling(rows: readonly Row[]): string | undefined {
  const model = fitModel(rows);
  if (model === undefined) return undefined;
  return [
    "### Coefficients",
    renderCoefficients(model),
    "### Checked against 20,000 objects",
    renderCheck(model, rows),
    "### What the model says",
    `Checks every ${interval.text}, an artifact of 40 kB each, one process unless more are needed: at most ${count(shard.objects)} objects a process, which is what was measured, and half a core for checks.`,
    renderForecast(model),
    "### Shards",
    renderShards(rows),
  ].join("\n\n");
}

function renderCoefficients({ memory, firstCpu, firstWall, checkCpuMs, restartCpuMs }: Model): string {
  return table(
    ["what", "without objects", "for each object"],
    [
      ["peak memory", mebibytes(memory.base), `${(memory.each / 1000).toFixed(1)} kB`],
      ["CPU of a first reconcile", "–", `${firstCpu.each.toFixed(1)} ms`],
      ["time until all are ready, on this machine", "–", `${firstWall.each.toFixed(1)} ms`],
      ["CPU of a check with nothing new", "–", `${checkCpuMs.toFixed(1)} ms`],
      ["CPU of a restart", "–", `${restartCpuMs.toFixed(1)} ms`],
      ["registry requests of a first reconcile", "–", "1, and 1 for each layer"],
      ["registry requests of a check", "–", "1"],
      ["writes to the Kubernetes API, first reconcile", "–", String(firstWrites)],
      ["writes to the Kubernetes API, check with nothing new", "–", "0"],
    ],
  );
}

function renderCheck(model: Model, rows: readonly Row[]): string {
  const found = rows.find(({ name }) => name === largest.name)?.figures.strata;
  if (found === undefined) return "Not measured in this run.";
  const line = (what: string, said: number, measured: number, format: (value: number) => string): string[] => [
    what,
    format(said),
    format(measured),
    `${(((said - measured) / measured) * 100).toFixed(0)} %`,
  ];
  return table(
    ["what", "model", "measured", "off by"],
    [
      line("peak memory", at(model.memory, largest.objects), found.peakRssBytes.median, mebibytes),
      line("CPU of the first reconciles", at(model.firstCpu, largest.objects), found.cpuMs.median, seconds),
      line("time until all are ready", at(model.firstWall, largest.objects), found.wallMs.median, seconds),
    ],
  );
}

function renderForecast(model: Model): string {
  const lines = [1000, 10_000, 20_000, 100_000].map((objects) => {
    const requests = objects / interval.seconds;
    const cores = (requests * model.checkCpuMs) / 1000;
    const processes = Math.max(Math.ceil(objects / shard.objects), Math.ceil(cores / shard.cores));
    return [
      count(objects),
      String(processes),
      mebibytes(at(model.memory, objects / processes)),
      `${requests.toFixed(1)} /s`,
      `${((cores / processes) * 100).toFixed(0)} % of a core`,
      seconds(at(model.firstCpu, objects)),
      seconds(at(model.firstWall, objects)),
      count(firstWrites * objects),
      seconds(model.restartCpuMs * (objects / processes)),
    ];
  });
  return table(
    [
      "objects",
      "processes",
      "memory of each",
      "registry requests",
      "CPU of each",
      "first reconciles, CPU",
      "first reconciles, this machine",
      "API writes at first",
      "restart of each, CPU",
    ],
    lines,
  );
}

function renderShards(rows: readonly Row[]): string {
  const found = rows.filter(({ name, figures }) => name.startsWith("shards-") && figures.strata !== undefined);
  if (found.length === 0) return "Not measured in this run.";
  return table(
    ["work", "time", "CPU of all", "memory of the largest"],
    found.map(({ title, figures: { strata } }) => [
      title,
      seconds(strata!.wallMs.median),
      seconds(strata!.cpuMs.median),
      mebibytes(strata!.peakRssBytes.median),
    ]),
  );
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...lines.map(row)].join("\n");
}
