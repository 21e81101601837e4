import { fold } from "../../text/fit.ts";
import { paint, type Screen } from "../screen.ts";
import { formatTable, plain } from "../terminal.ts";
import type { Section } from "./sections.ts";

/** The view for a terminal. */
export function explanationText(sections: readonly Section[], screen: Screen): string {
  return sections.map((section) => sectionText(section, screen)).join("\n");
}

function sectionText({ title, tone, rows, lines = [], copy }: Section, screen: Screen): string {
  const inner = { ...screen, columns: screen.columns && screen.columns - 2 };
  const table = rows === undefined ? "" : indented(formatTable(rows, inner));
  const text = lines.map((line) => {
    const { text: words, tone: own } = typeof line === "string" ? { text: line, tone: undefined } : line;
    const folded = fold(`  ${plain(words)}`, screen.columns);
    return `${paint(screen, own, folded)}\n`;
  });
  const block = copy === undefined ? "" : indented(`${copy.split("\n").map(plain).join("\n")}\n`);
  const painted = paint(screen, tone ?? "strong", plain(title));
  return `${painted}\n${table}${text.join("")}${block}`;
}

const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");
