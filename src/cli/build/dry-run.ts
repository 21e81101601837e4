import { formatIdentity } from "../../component/identity.ts";
import { nameOf, type FoundResource } from "../../component/resolve.ts";
import { componentStatus } from "../../pipeline/component.ts";
import { coolingMessage, type Cooling } from "../../pipeline/old-enough.ts";
import type { Resolved } from "../../pipeline/resolve.ts";
import type { Decision, Selection } from "../../select/selection.ts";
import type { Verification } from "../../verify/verifier.ts";
import { counted } from "../../text/count.ts";
import { cutTo } from "../../text/fit.ts";
import type { CommandIO } from "../command.ts";
import { printAnswer, type OutputFormat } from "../output.ts";
import { paint, type Screen } from "../screen.ts";
import { plain } from "../terminal.ts";
import { layerRow } from "../../pipeline/selected.ts";
import { waitingOf } from "./report.ts";

export interface DryRun {
  readonly resolved: Resolved;
  /** What was found in an OCM component version. */
  readonly found: FoundResource | undefined;
  readonly decisions: readonly Decision[];
  /** Undefined where the selection failed; the error follows. */
  readonly selection: Selection | undefined;
  readonly verification: Verification | undefined;
  /** A newer version that is not taken yet. */
  readonly cooling: Cooling | undefined;
}

/** Says for every index, manifest and layer whether it was taken, and why. */
export function printDryRun(io: CommandIO, format: OutputFormat, run: DryRun): void {
  printAnswer(io, format, { text: () => `${textLines(run, io.out).join("\n")}\n`, data: dryRunDocument(run) });
}

function textLines({ resolved, found, decisions, selection, verification, cooling }: DryRun, screen: Screen): string[] {
  const rows = decisions.map(({ kind, digest, depth, label, taken, reason }) => {
    const indent = "  ".repeat(depth + (kind === "layer" ? 1 : 0));
    const line = `${taken ? "+" : "-"} ${indent}${kind} ${digest.slice(0, 19)}  ${plain(label)}: ${plain(reason)}`;
    return paint(screen, taken ? "good" : "faint", cutTo(line, screen.columns));
  });
  const outcome =
    selection === undefined
      ? []
      : [
          `=> ${selection.operation} of ${counted(selection.layers.length, "layer")}${selection.profile === undefined ? "" : `, as ${selection.profile}`}${selection.note === undefined ? "" : `; ${plain(selection.note)}`}`,
        ];
  return [
    `root ${resolved.root.digest}`,
    ...(cooling ? [plain(coolingMessage(cooling))] : []),
    ...(verification ? [`${verification.result}: ${plain(verification.identity)}`] : []),
    ...(found ? [`resource ${plain(formatIdentity(found.resource))} of ${plain(nameOf(found.holder))}`] : []),
    ...rows,
    ...outcome,
  ];
}

function dryRunDocument({
  resolved,
  found,
  decisions,
  selection,
  verification,
  cooling,
}: DryRun): Record<string, unknown> {
  return {
    upstream: {
      ...(resolved.tag !== undefined && { tag: resolved.tag }),
      digest: resolved.root.digest,
      mediaType: resolved.root.mediaType,
    },
    ...(verification && { verification }),
    ...(cooling && { waiting: waitingOf(cooling) }),
    ...(found && { component: componentStatus(found) }),
    decisions,
    ...(selection && {
      operation: selection.operation,
      layout: selection.layout,
      profile: selection.profile ?? null,
      note: selection.note ?? null,
      layers: selection.layers.map(layerRow),
    }),
  };
}
