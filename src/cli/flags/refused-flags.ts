import { nearestWord } from "../../text/near.ts";
import { UsageError } from "../command.ts";
import type { Flag, Flags } from "./flag.ts";

/** What was meant instead of a flag that the command does not have. */
export function unknownFlag(rawName: string, flags: Flags): UsageError {
  const name = rawName.replace(/^-+/, "");
  const meant = rawName.startsWith("--") ? meantBy(name, flags) : undefined;
  return new UsageError(`there is no flag ${rawName}${meant === undefined ? "" : `; did you mean --${meant}?`}`);
}

function meantBy(name: string, flags: Flags): string | undefined {
  const other = Object.entries(flags).find(([, { otherNames = [] }]) => otherNames.includes(name));
  return other?.[0] ?? nearestWord(name, Object.keys(flags));
}

/** A flag without its value, or with the next flag in its place. */
export function withoutValue(rawName: string, flag: Flag, found: string | undefined): UsageError {
  const wanted = `${rawName} needs a value: ${rawName} ${takenBy(flag)}`;
  return new UsageError(
    found === undefined
      ? wanted
      : `${wanted}, and "${found}" looks like another flag; where it is the value, write ${rawName}${rawName.startsWith("--") ? "=" : ""}${found}`,
  );
}

/** @throws UsageError for a value that is not one of those that the flag takes */
export function checkChoice(rawName: string, { choices, alsoTakes = [] }: Flag, value: string): void {
  if (choices === undefined || choices.includes(value) || alsoTakes.includes(value)) return;
  const near = nearestWord(value, choices);
  const last = choices.at(-1)!;
  const list = choices.length === 1 ? last : `${choices.slice(0, -1).join(", ")} or ${last}`;
  throw new UsageError(`${rawName} is "${value}"; write ${near === undefined ? list : `${near} (it takes ${list})`}`);
}

/** What the help shows that a flag takes. */
export function takenBy({ choices, takes }: Flag): string {
  return choices?.join("|") ?? takes ?? "VALUE";
}
