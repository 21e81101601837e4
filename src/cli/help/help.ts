import { parseArgs } from "node:util";
import { printable } from "../../text/printable.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { commands } from "../commands.ts";
import { overview } from "./overview.ts";
import { reference } from "./reference.ts";

const text = `
strata help tells what a command does; strata COMMAND --help is the same.

Usage:
  strata help [COMMAND]
  strata help --markdown

Flags:
  --markdown                         the help of all commands as one Markdown document

Examples:
  strata help build
  strata help --markdown > cli.md
`;

const options = { markdown: { type: "boolean" } } as const;

export const help: Command = { summary: "Tell what a command does", help: text, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [name, ...others] = positionals;
  if (others.length > 0) throw new UsageError("strata help takes one command, or none");
  if (values.markdown === true) {
    if (name !== undefined) throw new UsageError("--markdown writes about all commands; leave the name out");
    io.stdout.write(await reference());
  } else if (name === undefined) io.stdout.write(overview());
  else if (Object.hasOwn(commands, name)) io.stdout.write(`${(await commands[name]!.load()).help.trim()}\n`);
  else throw new UsageError(`strata has no command "${printable(name)}"; strata --help lists them`);
  return 0;
}
