/** The page's style sheet; colours are named once for light and once for dark. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f7f8f7; --panel: #ffffff; --ink: #1c2430; --quiet: #5b6675; --line: #dfe3e6; --soft: #eef1f1;
  --accent: #0b6e69; --accent-soft: #e0f1ef; --accent-line: #9fd2cd; --warm: #8a4b08; --warm-soft: #fbf0df;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --sans: system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --panel: #191f26; --ink: #e4e8ec; --quiet: #98a4b1; --line: #2b343e; --soft: #212932;
    --accent: #63c8bf; --accent-soft: #17322f; --accent-line: #2f6661; --warm: #e3b477; --warm-soft: #33271a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 var(--sans); }
code, pre, .type, dd { font-family: var(--mono); }
h1, h2 { margin: 0; line-height: 1.25; font-weight: 600; }
h1 { font-size: 1.45rem; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 0.8rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--quiet); }
header, main { max-width: 86rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2rem; padding-bottom: 1.25rem; }
header p { margin: 0.35rem 0 0; color: var(--quiet); overflow-wrap: anywhere; }
header .hint { color: var(--warm); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--panel); padding: 0.5rem 0.75rem; z-index: 1; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 28rem; gap: 1.5rem; padding-bottom: 3rem; align-items: start; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem; }
aside.panel { position: sticky; top: 1rem; max-height: calc(100vh - 2rem); overflow: auto; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
summary:focus-visible { outline-offset: -2px; }
ul { list-style: none; margin: 0; padding: 0; }
.tree { margin-top: 0.75rem; }
.tree ul { margin-left: 0.55rem; padding-left: 1rem; border-left: 1px solid var(--line); }
.node { position: relative; padding: 0.15rem 0; }
.node > details > summary { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.15rem 0.6rem; padding: 0.3rem 0.4rem; border-radius: 6px; cursor: pointer; list-style: none; }
.node > details > summary::-webkit-details-marker { display: none; }
.node > details > summary::before { content: "▸"; color: var(--quiet); width: 0.8rem; flex: none; }
.node > details[open] > summary::before { content: "▾"; }
.node > details > summary:hover, label.line:hover { background: var(--soft); }
.manifest { display: grid; grid-template-columns: 1.5rem minmax(0, 1fr); }
.manifest > input { margin: 0.62rem 0 0 0.2rem; }
.manifest > details > ul { margin-top: 0.15rem; }
input[type="checkbox"] { width: 1rem; height: 1rem; accent-color: var(--accent); flex: none; }
.kind { color: var(--quiet); font-size: 0.82rem; flex: none; }
.node > details > summary > .kind { font-weight: 600; }
.type { font-size: 0.83rem; overflow-wrap: anywhere; }
.meta { color: var(--quiet); font-size: 0.82rem; margin-left: auto; white-space: nowrap; }
.meta code { margin-right: 0.5rem; }
.line { display: flex; align-items: baseline; gap: 0.6rem; padding: 0.28rem 0.4rem; border-radius: 6px; row-gap: 0; }
label.line { cursor: pointer; }
.line > input { align-self: center; }
.line > .kind { min-width: 3.6rem; }
.name { min-width: 0; overflow-wrap: anywhere; }
.why { font-size: 0.85rem; color: var(--quiet); }
.name strong { font-weight: 600; font-size: 0.92rem; margin-right: 0.35rem; overflow-wrap: anywhere; }
.row.referrer .line { padding-left: 2rem; }
.row.referrer .kind, .row.other .kind { font-style: italic; }
.row.empty { opacity: 0.65; }
.row.unread .why { color: var(--warm); }
.row.picked > label { background: var(--accent-soft); box-shadow: inset 2px 0 0 var(--accent); }
.manifest.picked > details > summary > .kind, .row.picked .kind { color: var(--accent); }
.badge, .usual, .note { font-size: 0.76rem; padding: 0.05rem 0.45rem; border-radius: 999px; white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.badge { border: 1px solid var(--line); }
.badge.layout { background: var(--soft); }
.usual { background: var(--accent-soft); color: var(--accent); border: 1px solid var(--accent-line); margin-left: 0.4rem; }
.note { background: var(--soft); color: var(--ink); display: inline-block; vertical-align: middle; }
.note .key { color: var(--quiet); }
.facts { margin: 0 0 0.3rem 1.75rem; font-size: 0.82rem; color: var(--quiet); }
.manifest .facts { margin-left: 1.75rem; }
.facts summary { cursor: pointer; width: fit-content; }
.facts dl { margin: 0.35rem 0 0.5rem; }
.facts dl div { display: grid; grid-template-columns: minmax(6rem, 15rem) minmax(0, 1fr); gap: 0.75rem; padding: 0.1rem 0; }
.facts dt, .facts dd { margin: 0; overflow-wrap: anywhere; }
.facts dd { color: var(--ink); }
form { display: grid; gap: 0.75rem; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 0.65rem 0.75rem; }
.fields label { display: grid; gap: 0.2rem; font-size: 0.82rem; color: var(--quiet); min-width: 0; }
input:not([type="checkbox"]), select { width: 100%; font: 0.9rem var(--sans); color: var(--ink); background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 0.5rem; }
input:invalid { border-color: var(--warm); }
#summary { margin: 0; padding: 0.5rem 0.7rem; border-radius: 8px; background: var(--accent-soft); }
.unwritten #summary { background: var(--soft); }
.refused #summary { background: var(--warm-soft); color: var(--warm); }
pre { margin: 0; padding: 0.8rem; border-radius: 8px; background: var(--ground); border: 1px solid var(--line); font-size: 0.79rem; line-height: 1.55; overflow-x: auto; }
.unwritten pre, .unwritten #copy { display: none; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
button { font: 600 0.85rem var(--sans); padding: 0.45rem 0.8rem; border-radius: 7px; border: 1px solid var(--line); background: var(--panel); color: var(--ink); cursor: pointer; }
button:hover { background: var(--soft); }
#copy { background: var(--accent); border-color: var(--accent); color: var(--panel); }
#copy:hover { filter: brightness(1.08); }
#status { margin: 0; min-height: 1.3rem; font-size: 0.85rem; color: var(--quiet); }
@media (max-width: 60rem) { main { grid-template-columns: minmax(0, 1fr); } aside.panel { position: static; max-height: none; } }
@media (max-width: 40rem) { header, main { padding-left: 0.75rem; padding-right: 0.75rem; } .line { flex-wrap: wrap; } .meta code { display: none; } }
@media print { aside.panel, .skip { display: none; } main { display: block; } }
`;
