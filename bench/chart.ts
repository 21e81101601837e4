import type { Row } from "./report.ts";
import { formatFactor, seconds } from "./table.ts";

const layout = { width: 860, label: 300, bar: 340, row: 44, top: 64, thickness: 14 } as const;
const measures = [
  { key: "wallMs", name: "wall", colour: "#2f6fb3" },
  { key: "cpuMs", name: "CPU", colour: "#e08a1e" },
] as const;
/** Bars end here; what is longer is drawn to it and told by its figure. */
const longestBar = 1.25;

/** Strata's wall and CPU time in each row as a share of what it is compared with; rows without a rival are left out. */
export function renderChart(rows: readonly Row[]): string {
  const compared = rows.filter(({ figures }) => figures.strata && figures.flux && figures.flux.wallMs.median > 0);
  const height = layout.top + compared.length * layout.row + 16;
  const whole = layout.label + layout.bar / longestBar;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${layout.width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    "<title>Time of Strata as a share of source-controller's</title>",
    `<rect width="${layout.width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="24" font-size="16" fill="#1c2530">Time of Strata as a share of source-controller's: shorter is better</text>`,
    ...measures.map(
      ({ name, colour }, i) =>
        `<rect x="${16 + i * 70}" y="36" width="12" height="12" fill="${colour}"/><text x="${34 + i * 70}" y="46" fill="#1c2530">${name}</text>`,
    ),
    `<line x1="${whole}" y1="52" x2="${whole}" y2="${height - 12}" stroke="#8a94a0" stroke-dasharray="3 3"/><text x="${whole}" y="46" text-anchor="middle" fill="#5a6470">source-controller</text>`,
    ...compared.map((row, i) => renderRow(row, layout.top + i * layout.row)),
    "</svg>",
    "",
  ].join("\n");
}

function renderRow(row: Row, top: number): string {
  const title = `<text x="${layout.label - 10}" y="${top + 18}" text-anchor="end" fill="#1c2530">${escapeXml(row.title)}</text>`;
  return [title, ...measures.map((measure, i) => renderBar(row, measure, top + i * (layout.thickness + 3)))].join("\n");
}

function renderBar(row: Row, { key, colour }: (typeof measures)[number], y: number): string {
  const ours = row.figures.strata?.[key].median ?? 0;
  const theirs = row.figures.flux?.[key].median ?? 0;
  if (theirs === 0) return "";
  const width = Math.max(1, (Math.min(ours / theirs, longestBar) / longestBar) * layout.bar);
  const text = `${seconds(ours)} of ${seconds(theirs)}${ours > 0 ? ` (${formatFactor(theirs / ours)})` : ""}`;
  return `<rect x="${layout.label}" y="${y}" width="${width.toFixed(1)}" height="${layout.thickness}" fill="${colour}"/><text x="${layout.label + layout.bar + 10}" y="${y + 11}" fill="#1c2530">${text}</text>`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
