import { counted } from "../text/count.ts";
import { plain } from "./terminal.ts";

/** What is counted as a noun of what was left out of an archive; the rest are words that tell how it was. */
const nouns: Readonly<Record<string, string>> = {
  symlinks: "symlink",
};

/** `2 symlinks, 1 special`; empty where nothing was left out. */
export function leftOutText(skipped: object): string {
  return Object.entries(skipped)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] > 0)
    .map(([what, count]) => (nouns[what] === undefined ? `${count} ${what}` : counted(count, nouns[what])))
    .join(", ");
}

/** The lines of a report about it. @param examples what was ignored, such as `docs/a.md` */
export function leftOutLines(
  skipped: object & { readonly ignored?: number },
  examples: readonly string[] = [],
): string[] {
  const text = leftOutText(skipped);
  if (text === "") return [];
  const more = examples.length > 0 && (skipped.ignored ?? 0) > examples.length ? ["           and more"] : [];
  return [`left out   ${text}`, ...examples.map((example) => `           ${plain(example)}`), ...more];
}
