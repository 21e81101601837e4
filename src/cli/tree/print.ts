import { isSelection, selectedLayers, type Explored } from "../../explore/explore.ts";
import { treeOf, type TreeEntry } from "../../explore/tree.ts";
import { cutTo } from "../../text/fit.ts";
import type { CommandIO } from "../command.ts";
import { type OutputFormat, printAnswer } from "../output.ts";
import { paint, type Screen } from "../screen.ts";
import { plain } from "../terminal.ts";
import { componentLines } from "./component-text.ts";
import { brief, outcomeLines, treeLines, whole } from "./text.ts";

/** @param all whether every row and annotation is shown, and no line is cut */
export function printTree(
  io: CommandIO,
  explored: Explored,
  { reference, format, all }: { readonly reference: string; readonly format: OutputFormat; readonly all: boolean },
): void {
  const drawn = treeOf(explored.root, {
    graph: explored.graph,
    referrers: explored.referrers.bySubject,
    layers: selectedLayers(explored),
  });
  printAnswer(io, format, {
    text: () => textOf(explored, { reference, drawn, all }, io.out),
    data: document(explored, reference, drawn),
    names: [reference.includes("@") ? reference : `${reference}@${explored.root.digest}`],
  });
}

function textOf(
  explored: Explored,
  { reference, drawn, all }: { readonly reference: string; readonly drawn: TreeEntry; readonly all: boolean },
  screen: Screen,
): string {
  const columns = all ? undefined : screen.columns;
  const tree = [
    ...treeLines(reference, drawn, all ? whole : brief),
    ...(explored.component === undefined ? [] : componentLines(explored.component, all ? whole : brief)),
  ];
  const lines = [
    ...tree.map((line) => painted(cutTo(line, columns), screen)),
    "",
    ...outcomeLines(explored),
    ...explored.referrers.problems.map(plain),
  ];
  return `${lines.join("\n")}\n`;
}

/** What is taken stands out, and what is wrong. */
function painted(line: string, screen: Screen): string {
  if (/^[\s│├└─]*\* /.test(line)) return paint(screen, "good", line);
  return /^[\s│├└─]*• .* ! /.test(line) ? paint(screen, "bad", line) : line;
}

function document(
  { root, component, outcome, referrers }: Explored,
  reference: string,
  drawn: TreeEntry,
): Record<string, unknown> {
  const selection = isSelection(outcome)
    ? {
        operation: outcome.operation,
        layout: outcome.layout,
        profile: outcome.profile ?? null,
        ...(outcome.note !== undefined && { note: outcome.note }),
        layerCount: outcome.layers.length,
      }
    : null;
  return {
    reference,
    digest: root.digest,
    tree: drawn,
    component: component ?? null,
    selection,
    refusal: isSelection(outcome) ? null : outcome,
    problems: referrers.problems,
  };
}
