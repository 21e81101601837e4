import { type Command, type CommandIO, UsageError } from "../command.ts";
import { commands } from "../commands.ts";
import { parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { overview, unknownCommand } from "./overview.ts";
import { reference } from "./reference.ts";

const options = {
  markdown: { type: "boolean", help: "the help of all commands as one Markdown document" },
} as const;

const text = `
strata help tells what a command does; strata COMMAND --help is the same.

Usage:
  strata help [COMMAND]
  strata help --markdown

Flags:
${flagsHelp(options)}

Examples:
  strata help build
  strata help --markdown > cli.md
`;

export const help: Command = { summary: "Tell what a command does", help: text, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(options, args);
  const [name, ...others] = positionals;
  if (others.length > 0) throw new UsageError("strata help takes one command, or none");
  if (values.markdown === true) {
    if (name !== undefined) throw new UsageError("--markdown writes about all commands; leave the name out");
    io.stdout.write(await reference());
  } else if (name === undefined) io.stdout.write(overview());
  else if (Object.hasOwn(commands, name)) io.stdout.write(`${(await commands[name]!.load()).help.trim()}\n`);
  else throw new UsageError(unknownCommand(name));
  return 0;
}
