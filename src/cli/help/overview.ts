import { nearestWord } from "../../text/near.ts";
import { printable } from "../../text/printable.ts";
import { commands } from "../commands.ts";

/** What `strata --help` says. */
export function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}\n`);
  return `strata reads nested OCI artifacts and makes one artifact of what you select.\n\nUsage: strata COMMAND [ARGUMENTS]\n\n${rows.join("")}\n'strata help COMMAND' tells more, 'strata --version' which one this is. Exit codes: 0, 1 failure, 2 usage.\n`;
}

/** The command that was probably meant; undefined where none is near. */
export function meantCommand(name: string): string | undefined {
  return nearestWord(name, Object.keys(commands));
}

export function unknownCommand(name: string): string {
  const near = meantCommand(name);
  const advice = near === undefined ? "strata --help lists them" : `did you mean ${near}?`;
  return `strata has no command "${printable(name)}"; ${advice}`;
}
