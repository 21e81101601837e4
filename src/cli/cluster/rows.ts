import { oneLine } from "../../text/printable.ts";
import type { Tone } from "../screen.ts";
import type { Cell } from "../terminal.ts";
import type { ClusterObject } from "./session.ts";
import { booleanText, readyOf, shortRevision } from "./text.ts";

export type Row = readonly (string | Cell)[];

const tones: Readonly<Record<string, Tone>> = { True: "good", False: "bad", Unknown: "warn" };

/** A table of objects, its head first. @param isGone whether they were deleted */
export function rowsOf(objects: readonly ClusterObject[], withNamespace: boolean, isGone = false): Row[] {
  const head = [...(withNamespace ? ["NAMESPACE"] : []), "NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"];
  return [head, ...objects.map((object) => rowOf(object, withNamespace, isGone))];
}

function rowOf({ metadata, spec, status }: ClusterObject, withNamespace: boolean, isGone: boolean): Row {
  const { status: isReady = "Unknown", message = "waiting to be reconciled" } = readyOf(status) ?? {};
  const state = isGone ? "Deleted" : isReady;
  return [
    ...(withNamespace ? [metadata.namespace] : []),
    metadata.name,
    shortRevision(status?.artifact?.revision),
    booleanText(spec?.suspend),
    { text: state, tone: tones[state] },
    isGone ? "" : oneLine(message),
  ];
}

/** Names and revisions that come later may be longer than the first. */
const leastOfLater: Readonly<Record<string, number>> = { NAMESPACE: 12, NAME: 16, REVISION: 22 };

/** So wide a column is at least, so that lines that come later stand below the others. */
export function widthsFor(objects: readonly ClusterObject[], withNamespace: boolean): number[] {
  const rows = rowsOf(objects, withNamespace);
  return rows[0]!.map((_, column) =>
    rows.reduce((widest, row) => {
      const cell = row[column]!;
      const text = typeof cell === "string" ? cell : cell.text;
      return Math.max(widest, text.length, leastOfLater[text] ?? 0);
    }, 0),
  );
}
