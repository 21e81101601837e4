import { cutTo, padTo, widthOf } from "../text/fit.ts";
import { printable } from "../text/printable.ts";
import { paint, type Screen, type Tone } from "./screen.ts";

/** Longer than any message that a table shows. */
const maxCell = 4096;
/** What a table's last column is never cut below. */
const leastCell = 12;
const gap = "  ";

/** Text from a registry or cluster as one line that a terminal only shows. */
export function plain(text: string): string {
  return printable(text, maxCell);
}

/** A text of a table with its colour. */
export interface Cell {
  readonly text: string;
  readonly tone: Tone | undefined;
}

const uncut: Screen = { columns: undefined, color: false };

/**
 * Rows in columns, as `kubectl` and `flux` print them; a cell is made `plain` here, and the last is cut to the screen.
 * @param leastWidths of the columns, where other rows stand above
 */
export function formatTable(
  rows: readonly (readonly (string | Cell)[])[],
  screen: Screen = uncut,
  leastWidths: readonly number[] = [],
): string {
  const cells = rows.map((row) =>
    row.map((cell) =>
      typeof cell === "string" ? { text: plain(cell), tone: undefined } : { ...cell, text: plain(cell.text) },
    ),
  );
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[column]?.text ?? "")), leastWidths[column] ?? 0),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0);
  const last = screen.columns && Math.max(leastCell, screen.columns - before);
  return cells.map((row) => `${line(row, widths, last, screen)}\n`).join("");
}

function line(row: readonly Cell[], widths: readonly number[], last: number | undefined, screen: Screen): string {
  const shown = row.map(({ text, tone }, column) => {
    const isLast = column === widths.length - 1;
    const cell = isLast ? cutTo(text, last) : text;
    const padding = column === row.length - 1 ? "" : padTo("", (widths[column] ?? 0) - widthOf(cell));
    return paint(screen, tone, cell) + padding;
  });
  return shown.join(gap).trimEnd();
}
