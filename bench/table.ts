import type { Figures, Report, Row } from "./report.ts";
import { factor } from "./statistics.ts";

type Key = keyof Figures;

const columns = ["work", "wall", "CPU", "peak RSS", "event loop p99", "registry requests", "downloaded"];

/** The Markdown table of all rows: Strata first, then what it is compared with, then the factor in Strata's favour. */
export function renderTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.title,
    pair(row, "wallMs", seconds),
    pair(row, "cpuMs", seconds),
    pair(row, "peakRssBytes", mebibytes),
    loopDelay(row),
    pair(row, "requests", count, false),
    pair(row, "bytes", megabytes, false),
  ]);
  const markdown = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [markdown(columns), markdown(columns.map(() => "---")), ...lines.map(markdown)].join("\n");
}

/** Ours alone: what is written in Go has no such loop. */
function loopDelay(row: Row): string {
  const delay = row.figures.strata?.loopDelayMs.median ?? 0;
  return delay > 0 ? seconds(delay) : "–";
}

/** `0.1 s / 1.2 s (12×)`: ours, theirs, how many times as much theirs is. */
function pair(row: Row, key: Key, format: (value: number) => string, withFactor = true): string {
  const ours = row.figures.strata?.[key].median;
  const theirs = row.figures.flux?.[key].median;
  if (ours === undefined) return theirs === undefined ? "–" : `– / ${format(theirs)}`;
  if (theirs === undefined) return `${format(ours)} / –`;
  const times = factor(ours, theirs);
  return `${format(ours)} / ${format(theirs)}${withFactor && times !== undefined ? ` (${formatFactor(times)})` : ""}`;
}

export function formatFactor(times: number): string {
  return `${times >= 10 ? times.toFixed(0) : times.toFixed(1)}×`;
}

export function seconds(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(ms < 100_000 ? 1 : 0)} s`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

export function megabytes(bytes: number): string {
  if (bytes < 100_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`;
}

export function count(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(1);
}

/** Machine, versions and how it was measured, as Markdown. */
export function renderFacts(report: Report): string {
  const { machine, versions, flags, rows } = report;
  const notes = rows.filter((row) => row.note !== undefined).map((row) => `- ${row.title}: ${row.note}`);
  return [
    `Measured on ${report.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; everything on this one machine, over loopback.`,
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}. Both controllers run with \`${flags.join(" ")}\` and otherwise their defaults.`,
    "",
    "Each cell is Strata / source-controller (or the named program), medians over the rounds, and how many times as much the latter took.",
    "A controller is started anew for each measurement and warmed up with ten small objects; the two take turns.",
    ...(notes.length > 0 ? ["", ...notes] : []),
  ].join("\n");
}
