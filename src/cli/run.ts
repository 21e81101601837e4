import type { Command, CommandIO } from "./command.ts";
import { UsageError } from "./command.ts";
import { commands } from "./commands.ts";
import { overview } from "./help/overview.ts";
import { suggestedFlags } from "./suggested-flags.ts";
import { plain } from "./terminal.ts";
import { commit, version } from "../version.ts";
import { message, printable } from "../text/printable.ts";
import { errorDocument, printData, printError } from "./output.ts";

const maxUsageBytes = 4096;

/** @returns the exit code: 0, 1 for a failure, 2 for wrong arguments */
export async function runCommand(argv: readonly string[], io: CommandIO): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined) {
    io.stderr.write(overview());
    return 2;
  }
  const about = aboutItself(name);
  if (about !== undefined) {
    io.stdout.write(about);
    return 0;
  }
  if (!Object.hasOwn(commands, name)) {
    io.stderr.write(`strata has no command "${printable(name)}"\n\n${overview()}`);
    return 2;
  }
  const command = await commands[name]!.load();
  if (args.includes("--help") || args.includes("-h")) {
    io.stdout.write(`${command.help.trim()}\n`);
    return 0;
  }
  return runLoaded(name, command, args, io);
}

/** What `strata` without a command says of itself. */
function aboutItself(flag: string): string | undefined {
  if (flag === "--version") return `strata ${version} (${commit ?? "from its sources"}, Node.js ${process.version})\n`;
  return flag === "--help" || flag === "-h" ? overview() : undefined;
}

async function runLoaded(name: string, command: Command, args: readonly string[], io: CommandIO): Promise<number> {
  try {
    return await command.run(args, io);
  } catch (error) {
    if (isUsage(error)) {
      io.stderr.write(`${message(error.message, maxUsageBytes)}\nSee: strata ${name} --help\n`);
      return 2;
    }
    const format = formatAsked(args);
    if (format !== undefined) printData(io.stdout, format, errorDocument(error));
    else printFailure(name, error, io);
    return 1;
  }
}

/** What a message says to write into a spec is said in flags as well where there are some. */
function printFailure(name: string, error: unknown, { stderr }: CommandIO): void {
  printError(stderr, error);
  const flags = name === "build" || name === "pull" ? suggestedFlags(error) : undefined;
  if (flags !== undefined) stderr.write(`as flags: ${plain(flags)}\n`);
}

/** parseArgs of node:util throws TypeErrors with a code of its own. */
function isUsage(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}

/** The format of a failure is wanted even where the arguments could not be parsed further. */
function formatAsked(args: readonly string[]): "json" | "yaml" | undefined {
  const at = args.indexOf("--output");
  const value = at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith("--output="))?.slice("--output=".length);
  return value === "json" || value === "yaml" ? value : undefined;
}
