import type { Flag, Flags } from "./flag.ts";
import { commonFlags } from "./flags.ts";
import { takenBy } from "./refused-flags.ts";

/** Where the column of the texts begins, and where its lines end. */
const column = 37;
const width = 120;

/** The lines of the help for flags, and for those that every command has. */
export function flagsHelp(flags: Flags): string {
  return rowsHelp({ ...flags, ...commonFlags });
}

/** The lines of the help for these flags alone. */
export function rowsHelp(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, flag]) => rowHelp(name, flag))
    .join("\n");
}

/** A flag that takes up more than its column has its text on the next line. */
function rowHelp(name: string, flag: Flag): string {
  const long = name.length === 1 ? `-${name}` : `--${name}`;
  const short = flag.short === undefined || flag.short === name ? "" : `-${flag.short}, `;
  const head = `  ${short}${long}${flag.type === "boolean" ? "" : ` ${takenBy(flag)}`}`;
  const [first = "", ...rest] = linesOf(flag.help, width - column);
  const indent = " ".repeat(column);
  const start = head.length < column - 1 ? `${head.padEnd(column)}${first}` : `${head}\n${indent}${first}`;
  return [start, ...rest.map((line) => `${indent}${line}`)].map((line) => line.trimEnd()).join("\n");
}

function linesOf(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
