import { commands } from "../commands.ts";

/** What `strata --help` says. */
export function overview(): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}\n`);
  return `strata reads nested OCI artifacts and makes one artifact of what you select.\n\nUsage: strata COMMAND [ARGUMENTS]\n\n${rows.join("")}\n'strata help COMMAND' tells more, 'strata --version' which one this is. Exit codes: 0, 1 failure, 2 usage.\n`;
}
