import { printable } from "../text/printable.ts";

/** Longer than any message that a table shows. */
const maxCell = 4096;

/** Text from a registry or cluster as one line that a terminal only shows. */
export function plain(text: string): string {
  return printable(text, maxCell);
}

/** Rows in columns, as `kubectl` and `flux` print them; a cell is made `plain` here. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => plain(cell)));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
