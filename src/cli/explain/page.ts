import { documentOf } from "../html/document.ts";
import { markup, type Markup } from "../html/markup.ts";
import type { Section } from "./sections.ts";
import type { Cell } from "../terminal.ts";

const style = `
:root { color-scheme: light dark; --line: light-dark(#c8ccd2, #444b55); --good: light-dark(#116329, #57d38c); --bad: light-dark(#a40e26, #ff8e8e); --warn: light-dark(#7a4b00, #f0b95b); --faint: light-dark(#57606a, #a2abb6); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
td, p, pre { overflow-wrap: anywhere; }
pre, td, .line { font-family: ui-monospace, monospace; font-size: .85rem; }
pre { border: 1px solid var(--line); border-radius: 6px; padding: .75rem; white-space: pre-wrap; }
.line { white-space: pre-wrap; margin: 0; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .faint { color: var(--faint); } .strong { font-weight: 600; }
@media print { body { max-width: none; } }
`;

/** The view as one page that asks nothing of a network and runs nothing. What comes from others is only ever text. */
export function explanationPage(name: string, sections: readonly Section[]): string {
  return documentOf(
    { title: name, style },
    markup`<main>
${sections.map(sectionMarkup)}
</main>`,
  );
}

function sectionMarkup({ title, tone, rows, hasHead = false, lines = [], copy }: Section, at: number): Markup {
  const level = { html: at === 0 ? "h1" : "h2" };
  return markup`<section><${level}${toneClass(tone)}>${title}</${level}>
${rows === undefined ? undefined : tableMarkup(rows, hasHead)}${lines.map(
    (line) => markup`<p class="${{ html: `line ${cellOf(line).tone ?? ""}`.trimEnd() }}">${cellOf(line).text}</p>
`,
  )}${
    copy === undefined
      ? undefined
      : markup`<pre tabindex="0">${copy.split("\n").map(
          (line) => markup`${line}
`,
        )}</pre>
`
  }</section>
`;
}

function tableMarkup(rows: NonNullable<Section["rows"]>, hasHead: boolean): Markup {
  const head = hasHead ? rows.slice(0, 1) : [];
  const body = rows.slice(head.length);
  return markup`<div class="scroll" tabindex="0"><table>${head.map((row) => markup`<thead><tr>${row.map((cell) => markup`<th scope="col">${cellOf(cell).text}</th>`)}</tr></thead>`)}<tbody>${body.map(
    (row) => markup`<tr>${row.map((cell) => markup`<td${toneClass(cellOf(cell).tone)}>${cellOf(cell).text}</td>`)}</tr>
`,
  )}</tbody></table></div>
`;
}

const cellOf = (cell: string | Cell): Cell => (typeof cell === "string" ? { text: cell, tone: undefined } : cell);

/** The class is a word of `Tone`, which needs no escape. */
const toneClass = (tone: Cell["tone"]): Markup => ({ html: tone === undefined ? "" : ` class="${tone}"` });
