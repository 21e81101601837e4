import type { Annotations } from "../../oci/types.ts";
import { plain } from "../terminal.ts";
import { counted } from "../../text/count.ts";

const maxAnnotations = 20;
const maxText = 400;

/** What a row says on demand: its title, then names and values, all of them plain text. */
export type Facts = readonly [title: string, ...rows: readonly (readonly [name: string, value: string])[]];

/** @param facts values that are undefined are left out */
export function factsOf(
  title: string,
  facts: readonly (readonly [string, string | undefined])[],
  annotations: Annotations = {},
): Facts {
  const entries = Object.entries(annotations);
  const more = entries.length - maxAnnotations;
  const rows = [
    ...facts,
    ...entries.slice(0, maxAnnotations),
    ...(more > 0 ? [["…", `and ${counted(more, "more annotation")}`] as const] : []),
  ];
  return [
    shown(title),
    ...rows.flatMap(([name, value]) => (value === undefined ? [] : [[shown(name), shown(value)] as const])),
  ];
}

/** As much of a text as a row has room for. */
export function short(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

function shown(text: string): string {
  return plain(short(text));
}
