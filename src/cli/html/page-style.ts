import { maxDepth } from "./page-row.ts";

/** Rows are indented in their second column alone, so that the others stay aligned. */
const indents = Array.from({ length: maxDepth + 1 }, (_, depth) => `.d${depth} { --in: ${depth}; }`).join(" ");

/** The page's style sheet; colours are named once for light and once for dark. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f7f8f7; --panel: #ffffff; --ink: #1c2430; --quiet: #5b6675; --line: #dfe3e6; --edge: #7d8894; --soft: #eef1f1;
  --accent: #0b6e69; --accent-soft: #e0f1ef; --accent-line: #9fd2cd; --warm: #8a4b08; --warm-soft: #fbf0df;
  --step: 1rem;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --sans: system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --panel: #191f26; --ink: #e4e8ec; --quiet: #98a4b1; --line: #2b343e; --edge: #6b7885; --soft: #212932;
    --accent: #63c8bf; --accent-soft: #17322f; --accent-line: #2f6661; --warm: #e3b477; --warm-soft: #33271a;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-padding: 4.5rem 0 7rem; }
body { display: flex; flex-direction: column; min-height: 100vh; margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 var(--sans); }
code, pre, .type, dd { font-family: var(--mono); }
h1, h2, h3 { margin: 0; line-height: 1.25; font-weight: 600; }
h1 { font-size: 1.45rem; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1rem; }
h3 { font-size: 0.85rem; margin: 0.25rem 0 0.4rem; }
header, main, .inner { width: 100%; max-width: 100rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 1.75rem; padding-bottom: 1.25rem; }
header p { margin: 0.3rem 0 0; color: var(--quiet); overflow-wrap: anywhere; }
header .hint { color: var(--warm); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--panel); padding: 0.5rem 0.75rem; z-index: 3; }
main { flex: 1; display: grid; grid-template-columns: minmax(0, 1fr) 27rem; gap: 1.25rem; padding-bottom: 2rem; align-items: start; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 0 1rem 1rem; }
aside.panel { position: sticky; top: 1rem; max-height: calc(100vh - 7rem); overflow: auto; padding-top: 1rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
ul { list-style: none; margin: 0; padding: 0; }
.tools { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 0.8rem; padding: 0.75rem 0; background: var(--panel); border-radius: 12px 12px 0 0; }
#filter { flex: 1 1 12rem; max-width: 26rem; margin-left: auto; }
#found { font-size: 0.85rem; color: var(--quiet); }
#found:empty { display: none; }
${indents}
.row { display: grid; grid-template-columns: 1.5rem minmax(0, 1fr) 6.2rem 6.4rem; column-gap: 0.6rem; align-items: center; min-height: 2.1rem; padding: 0 0.35rem; border-bottom: 1px solid var(--line); }
.heads { color: var(--quiet); font-size: 0.8rem; min-height: 1.7rem; }
#tree .row:hover { background: var(--soft); }
.row > input { justify-self: center; }
.closed > ul { display: none; }
.what { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.6rem; min-width: 0; padding: 0.28rem 0 0.28rem calc(var(--in, 0) * var(--step) + 1.05rem); text-align: left; position: relative; }
.heads .what { padding-left: 0; }
label.what { cursor: pointer; }
button.what { border: 0; background: none; font: inherit; color: inherit; cursor: pointer; border-radius: 4px; }
button.what::before { content: "▾"; position: absolute; left: calc(var(--in, 0) * var(--step)); color: var(--quiet); }
.closed > .row > button.what::before { content: "▸"; }
.size { text-align: right; font-size: 0.84rem; color: var(--quiet); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
button.more { justify-self: start; border: 0; background: none; padding: 0.2rem 0; font-weight: 400; font-size: 0.84rem; color: var(--accent); cursor: pointer; }
button.more:hover { text-decoration: underline; background: none; }
input[type="checkbox"] { width: 1rem; height: 1rem; margin: 0; accent-color: var(--accent); }
.kind { color: var(--quiet); font-size: 0.84rem; min-width: 3.7rem; }
.node > .row .kind { font-weight: 600; }
.type { font-size: 0.84rem; overflow-wrap: anywhere; min-width: 0; }
.name { min-width: 0; flex: 1 1 0; overflow-wrap: anywhere; }
.why { font-size: 0.86rem; color: var(--quiet); }
.name strong { font-weight: 600; font-size: 0.93rem; margin-right: 0.35rem; }
.referrer .kind, .other .kind { font-style: italic; }
.empty > .row .name { color: var(--quiet); }
.unread .why { color: var(--warm); }
#tree .leaf.picked > .row { background: var(--accent-soft); }
#tree .picked > .row { box-shadow: inset 3px 0 0 var(--accent); }
.picked > .row .kind { color: var(--accent); }
.leaf.picked > .row :is(.size, .why, .key) { color: var(--ink); }
.badge, .usual, .note { font-size: 0.78rem; padding: 0.02rem 0.45rem; border-radius: 0.65rem; max-width: 100%; overflow-wrap: anywhere; }
.badge { border: 1px solid var(--line); }
.badge.layout { background: var(--soft); }
.usual { background: var(--accent-soft); color: var(--accent); border: 1px solid var(--accent-line); }
.note { background: var(--soft); color: var(--ink); }
.note .key { color: var(--quiet); }
.keys { margin: 0.6rem 0 0; font-size: 0.82rem; color: var(--quiet); }
form { display: grid; gap: 0.75rem; outline-offset: 6px; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem 0.75rem; }
.fields label { display: grid; gap: 0.2rem; font-size: 0.84rem; color: var(--quiet); min-width: 0; }
input:not([type="checkbox"]), select { width: 100%; font: 0.92rem var(--sans); color: var(--ink); background: var(--ground); border: 1px solid var(--edge); border-radius: 6px; padding: 0.4rem 0.5rem; }
input::placeholder { color: var(--quiet); opacity: 1; }
input:invalid { border-color: var(--warm); }
p.empty { margin: 0; color: var(--quiet); }
.written { display: grid; gap: 0.6rem; min-width: 0; }
.unwritten .written, .unwritten #copy, form:not(.unwritten) p.empty, #picked { display: none; }
#kubectl summary { cursor: pointer; font-size: 0.88rem; width: fit-content; }
#kubectl pre { margin-top: 0.4rem; }
pre { margin: 0; padding: 0.75rem; border-radius: 8px; background: var(--ground); border: 1px solid var(--line); font-size: 0.8rem; line-height: 1.5; overflow-x: auto; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
button, .button { font: 600 0.87rem/1.5 var(--sans); padding: 0.36rem 0.75rem; border-radius: 7px; border: 1px solid var(--edge); background: var(--panel); color: var(--ink); cursor: pointer; text-decoration: none; }
button:hover, .button:hover { background: var(--soft); }
#copy { background: var(--accent); border-color: var(--accent); color: var(--panel); }
#copy:hover { filter: brightness(1.08); }
#bar { position: sticky; bottom: 0; z-index: 2; background: var(--panel); border-top: 1px solid var(--edge); box-shadow: 0 -4px 16px rgb(0 0 0 / 0.08); }
#bar .inner { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.5rem 1.25rem; padding-top: 0.6rem; padding-bottom: 0.6rem; }
.said { flex: 1 1 20rem; min-width: 0; }
#summary { margin: 0; font-weight: 600; color: var(--accent); }
.unwritten #summary { color: var(--quiet); font-weight: 400; }
.refused #summary { color: var(--warm); }
#status { margin: 0; font-size: 0.85rem; color: var(--quiet); }
#status:empty { display: none; }
#jump { display: none; }
dialog { width: min(46rem, calc(100vw - 2rem)); max-height: calc(100vh - 4rem); padding: 0; border: 1px solid var(--line); border-radius: 12px; background: var(--panel); color: var(--ink); overflow: auto; }
dialog::backdrop { background: rgb(0 0 0 / 0.45); }
.sheet { padding: 1.1rem 1.25rem; display: grid; gap: 0.75rem; }
dl { margin: 0; font-size: 0.86rem; }
dl div { display: grid; grid-template-columns: minmax(6rem, 14rem) minmax(0, 1fr); gap: 0.15rem 0.75rem; padding: 0.3rem 0; border-top: 1px solid var(--line); }
dt, dd { margin: 0; overflow-wrap: anywhere; }
dt { color: var(--quiet); }
@media (max-width: 68rem) {
  main { grid-template-columns: minmax(0, 1fr); }
  aside.panel { position: static; max-height: none; }
  #jump { display: inline-block; }
}
@media (max-width: 40rem) {
  :root { --step: 0.55rem; }
  header, main, .inner { padding-left: 0.6rem; padding-right: 0.6rem; }
  header { padding-top: 1rem; }
  .panel { padding-left: 0.6rem; padding-right: 0.6rem; }
  .row { grid-template-columns: 1.5rem minmax(0, 1fr) 4.6rem 2rem; column-gap: 0.35rem; padding: 0; }
  .heads span:last-child { visibility: hidden; }
  button.more code { display: none; }
  button.more { justify-self: center; font-size: 1rem; padding: 0.2rem 0.4rem; }
  button.more::before { content: "…"; }
  .kind { min-width: 0; }
  .name { flex-basis: 100%; }
  .said { flex-basis: 100%; }
  #bar .inner { gap: 0.35rem; }
  #bar .buttons { gap: 0.35rem; }
  #bar button, #bar .button { padding: 0.3rem 0.55rem; }
  .keys { display: none; }
  dl div { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  body { background: none; }
  main { display: block; }
  .skip, .tools, .heads, #tree, .keys, .fields, .buttons, #kubectl, #status, section.panel { display: none; }
  #bar { position: static; box-shadow: none; border: 0; }
  .panel { border: 0; padding: 0; }
  aside.panel { position: static; max-height: none; overflow: visible; }
  #picked { display: block; font-size: 0.85rem; }
  #picked li { padding: 0.15rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
`;
