import type { Room } from "./inner-rooms.ts";

/** The rows of the table in CONTRIBUTING.md, in Markdown. */
export function tableRows(rooms: Readonly<Record<string, Room>>): string[] {
  return Object.entries(rooms).map(([name, { holds, imports, types = [] }]) => {
    const allowed = [...imports, ...types.map((type) => `*${type}*`)].map((entry) => entry.replace("src/", ""));
    return `| \`${name}\` | ${holds} | ${allowed.join(", ") || "nothing"} |`;
  });
}

/** The text with the table's rows in place of those that it has. */
export function withTable(text: string, rows: readonly string[]): string {
  const lines = text.split("\n");
  const isRow = (line: string): boolean => line.startsWith("| `");
  return lines.toSpliced(lines.findIndex(isRow), lines.filter(isRow).length, ...rows).join("\n");
}
