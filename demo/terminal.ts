const layout = { columns: 112, character: 7.45, line: 18, left: 18, top: 52, bottom: 18 } as const;
/** The objects that the picture shows: three selections of the artifact whose tree it shows. */
const shown = ["product-by-platform", "product-by-type", "product-timoni-module"];

/** What the demo prints about one artifact, drawn: its tree, then what becomes of it. @throws Error where that is missing */
export function demoPicture(output: string): string {
  const lines = output.replace(/127\.0\.0\.1:\d+/g, "registry.example").split("\n");
  const tree = between(lines, /^\$ strata tree /, /^Reconciled /);
  const objects = shown.flatMap((name) => between(lines, new RegExp(`^✓ ${name}$`), /^\S/));
  const told = objects.filter((line) => !/^ {4}(?:revision|artifact|upstream) /.test(line));
  return terminalPicture("strata: one artifact, and three selections of it", [...tree, ...told]);
}

/** From the line that matches `start` to the one before the next that matches `end`. */
function between(lines: readonly string[], start: RegExp, end: RegExp): string[] {
  const from = lines.findIndex((line) => start.test(line));
  if (from < 0) throw new Error(`the demo printed nothing that matches ${String(start)}`);
  const length = lines.slice(from + 1).findIndex((line) => end.test(line));
  return lines.slice(from, length < 0 ? undefined : from + 1 + length);
}

/** Lines of text as an SVG image of a terminal. A line that is too long is cut. */
export function terminalPicture(title: string, lines: readonly string[]): string {
  const { columns, character, line, left, top, bottom } = layout;
  const width = Math.ceil(left * 2 + columns * character);
  const height = top + lines.length * line + bottom;
  const rows = lines.map((text, at) => {
    const y = top + at * line + 13;
    return `<text x="${left}" y="${y}"${classOf(text)} xml:space="preserve">${escapeXml(cut(text, columns))}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-size="12.4" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">`,
    `<title>${escapeXml(title)}</title>`,
    "<style>text { fill: #d7dde3; } .prompt { fill: #ffffff; font-weight: 600; } .good { fill: #63c8bf; font-weight: 600; } .note { fill: #e3b477; }</style>",
    `<rect width="${width}" height="${height}" rx="10" fill="#12161b"/>`,
    ...["#e5786d", "#e3b477", "#7cc28a"].map(
      (fill, at) => `<circle cx="${left + 6 + at * 20}" cy="24" r="6" fill="${fill}"/>`,
    ),
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

function classOf(text: string): string {
  if (text.startsWith("$ ")) return ' class="prompt"';
  if (text.startsWith("✓ ")) return ' class="good"';
  return text.startsWith("Nothing is taken") ? ' class="note"' : "";
}

function cut(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
