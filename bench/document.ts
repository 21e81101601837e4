import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { renderChart } from "./chart.ts";
import { judgeGoals, renderGoals } from "./goals.ts";
import { renderLimits } from "./limits.ts";
import type { Report } from "./report.ts";
import { renderScaling } from "./scaling.ts";
import { renderFacts, renderTable } from "./table.ts";

const docs = new URL("../docs/", import.meta.url);
const marks = {
  begin: "<!-- bench: begin. Written by `npm run bench -- --write`. -->",
  end: "<!-- bench: end -->",
} as const;

/** Replaces what stands between the marks; without marks, it is appended with them. */
export function replaceMarked(text: string, content: string): string {
  const block = `${marks.begin}\n\n${content}\n\n${marks.end}`;
  const [from, to] = [text.indexOf(marks.begin), text.indexOf(marks.end)];
  if (from === -1 && to === -1) return `${text.trimEnd()}\n\n${block}\n`;
  if (from === -1 || to < from)
    throw new Error(`the page has only one of the marks ${marks.begin} and ${marks.end}, or the wrong way round`);
  return `${text.slice(0, from)}${block}${text.slice(to + marks.end.length)}`;
}

/** Writes the run into docs/performance.md and docs/scaling.md, whose other text stays, and draws docs/performance.svg. */
export async function writeDocument(report: Report): Promise<void> {
  await replaceIn("performance.md", renderMarkdown(report));
  const scaling = renderScaling(report.rows);
  if (scaling !== undefined) await replaceIn("scaling.md", `${renderPlace(report)}\n\n${scaling}`);
  await writeFile(fileURLToPath(new URL("performance.svg", docs)), renderChart(report.rows));
}

async function replaceIn(name: string, content: string): Promise<void> {
  const path = fileURLToPath(new URL(name, docs));
  await writeFile(path, replaceMarked(await readFile(path, "utf8"), content));
}

function renderPlace({ date, machine, flags }: Report): string {
  return `Measured on ${date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, with etcd, API server and registry on the same machine, and \`${flags.join(" ")}\`.`;
}

function renderMarkdown(report: Report): string {
  const chart = "![Time of Strata as a share of source-controller's, row by row](performance.svg)";
  return [
    renderFacts(report),
    chart,
    renderTable(report.rows),
    "### Goals",
    renderGoals(judgeGoals(report)),
    "### What this machine can do",
    renderLimits(report.limits),
  ].join("\n\n");
}
