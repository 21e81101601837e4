import type { Flag } from "../help/flags.ts";

/** What a shell is told about one command. */
export interface Completion {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** The words that it takes as its argument, where they are known; files otherwise. */
  readonly words: readonly string[];
}

/** As it stands on the command line, the short form last. A name of one letter is the short form's own. */
export function spellings({ long, short }: Flag): string[] {
  return [...(long.length > 1 ? [`--${long}`] : []), ...(short === undefined ? [] : [`-${short}`])];
}

/** The flags that `strata` itself takes. */
export const ownFlags = ["--help", "--version"];

/** One word of a shell, whatever is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
