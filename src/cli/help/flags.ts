import type { ParseArgsOptionsConfig } from "node:util";

/** One flag of a command, as its help explains it. */
export interface Flag {
  readonly long: string;
  readonly short: string | undefined;
  /** What the help shows that it takes, such as `json|yaml` or `FILE`; empty where it takes nothing. */
  readonly takes: string;
  readonly description: string;
}

/** A command, as far as its flags go. */
interface Explained {
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
}

const line =
  /^ {2}(?:-(?<short>\w), )?(?<flag>--?[a-z][a-z-]*)(?: (?<takes>\S+(?: \S+)*?))?(?: {2,}(?<description>.+))?$/;

/** Every flag of a command, in the order of its help: the names are those that are parsed, the words those of the help. */
export function flagsOf({ help, options }: Explained): Flag[] {
  const explained = explanations(help);
  const order = [...explained.keys()];
  const rank = ({ long, short }: Flag): number =>
    Math.max(order.indexOf(`--${long}`), short === undefined ? -1 : order.indexOf(`-${short}`));
  return Object.entries(options)
    .map(([long, { type, short }]): Flag => {
      const found = explained.get(`--${long}`) ?? (short === undefined ? undefined : explained.get(`-${short}`));
      const takes = type === "boolean" ? "" : (found?.takes ?? "VALUE");
      return { long, short, takes, description: found?.description ?? "" };
    })
    .toSorted((a, b) => rank(a) - rank(b));
}

function explanations(help: string): Map<string, Pick<Flag, "takes" | "description">> {
  const found = new Map<string, { takes: string; description: string }>();
  let current: { takes: string; description: string } | undefined;
  for (const text of help.split("\n")) {
    const groups = line.exec(text)?.groups;
    if (groups !== undefined) {
      current = { takes: groups["takes"] ?? "", description: groups["description"] ?? "" };
      found.set(groups["flag"]!, current);
      if (groups["short"] !== undefined) found.set(`-${groups["short"]}`, current);
    } else if (current !== undefined && /^ {6,}\S/.test(text))
      current.description = `${current.description} ${text.trim()}`.trim();
    else current = undefined;
  }
  return found;
}

/** The values that a flag takes where it takes one of a few words; what is written in capitals stands for something else. */
export function choicesOf({ takes }: Flag): string[] {
  return takes.split("|").filter((word) => /^[A-Za-z]+$/.test(word) && /[a-z]/.test(word));
}
