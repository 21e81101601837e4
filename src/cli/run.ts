import { nearestWord } from "../text/near.ts";
import { printable } from "../text/printable.ts";
import { type Command, type CommandIO, type ProcessIO, UsageError } from "./command.ts";
import { commands } from "./commands.ts";
import { meantCommand, overview, unknownCommand } from "./help/overview.ts";
import { commit, version } from "../version.ts";
import { askedFor, commonFlags } from "./flags/flags.ts";
import { paint, screenOf } from "./screen.ts";
import { fold } from "../text/fit.ts";

/** @returns the exit code: 0, 1 for a failure, 2 for wrong arguments */
export async function runCommand(argv: readonly string[], streams: ProcessIO): Promise<number> {
  const [name = "", ...args] = argv;
  const command = await load(name);
  const asked = askedFor(command?.options ?? {}, command === undefined ? argv : args);
  const io = commandIO(streams, asked["color"]);
  if (command === undefined) return withoutCommand(argv, io);
  return asked["help"] === undefined ? await runLoaded(name, command, { args, asked }, io) : printHelp(command, io);
}

async function load(name: string): Promise<Command | undefined> {
  return Object.hasOwn(commands, name) ? await commands[name]!.load() : undefined;
}

function commandIO(streams: ProcessIO, color: string | true | undefined): CommandIO {
  const { stdout, stderr, terminals, environment, signal } = streams;
  // A value that is refused later is none here.
  const wish = commonFlags.color.choices.find((choice) => choice === color) ?? "auto";
  const screen = (of: "stdout" | "stderr"): CommandIO["out"] => screenOf(terminals[of], wish, environment);
  return {
    // Opened only by who reads it.
    get stdin() {
      return streams.stdin;
    },
    stdout,
    stderr,
    terminals,
    terminal: terminals.stderr.isTTY === true,
    out: screen("stdout"),
    err: screen("stderr"),
    environment,
    signal,
  };
}

function printHelp({ help }: Command, { stdout, out }: CommandIO): number {
  stdout.write(`${out.columns === undefined ? help.trim() : foldHelp(help.trim(), out.columns)}\n`);
  return 0;
}

/** Paragraphs are folded anew, tables line by line, and what is to be copied stays on its line. */
function foldHelp(help: string, columns: number): string {
  return help
    .replace(/(?<=^\S.*[^:])\n(?=\S)/gm, " ")
    .split("\n")
    .map((line) => (/^ {2}\w+ .*(?:\/\/|-f )/.test(line) ? line : fold(line, columns)))
    .join("\n");
}

type Asked = ReturnType<typeof askedFor>;

/** `strata`, `strata --help`, `strata --version`, and what is none of them. */
function withoutCommand(argv: readonly string[], io: CommandIO): number {
  const about = aboutItself(argv);
  if (about !== undefined) {
    io.stdout.write(fold(about, io.out.columns));
    return 0;
  }
  const problem = problemOf(argv);
  if (problem !== undefined) io.stderr.write(`${paint(io.err, "bad", "error:")} ${problem.text}\n`);
  io.stderr.write(
    problem?.isNear ? "See: strata --help\n" : `${problem ? "\n" : ""}${fold(overview(), io.err.columns)}`,
  );
  return 2;
}

/** What `strata` without a command says of itself. */
function aboutItself(argv: readonly string[]): string | undefined {
  if (argv.some((arg) => !arg.startsWith("-"))) return undefined;
  if (argv.includes("--version"))
    return `strata ${version} (${commit ?? "from its sources"}, Node.js ${process.version})\n`;
  return argv.includes("--help") || argv.includes("-h") ? overview() : undefined;
}

/** What is wrong with a command line without a command, and whether what was meant is told; undefined where there is nothing at all. */
function problemOf([first]: readonly string[]): { readonly text: string; readonly isNear: boolean } | undefined {
  if (first === undefined) return undefined;
  if (!first.startsWith("-")) return { text: unknownCommand(first), isNear: meantCommand(first) !== undefined };
  const own = ["--help", "--version"];
  const near = own.includes(first) ? undefined : nearestWord(first, own);
  return near === undefined
    ? { text: `"${printable(first)}" stands where the command does; flags come after the command`, isNear: false }
    : { text: `strata has no flag "${printable(first)}"; did you mean ${near}?`, isNear: true };
}

interface Call {
  readonly args: readonly string[];
  readonly asked: Asked;
}

async function runLoaded(name: string, command: Command, { args, asked }: Call, io: CommandIO): Promise<number> {
  try {
    return await command.run(args, io);
  } catch (failure) {
    // With `build -f` the spec is what there is to change.
    const isBySpec = command.options["ca-file"] === undefined || (command.options["dry-run"] && asked["file"]);
    const error = isBySpec ? failure : (await import("./source.ts")).inSourceFlags(failure);
    return await printFailure(name, error, asked["output"], io);
  }
}

/** What prints documents is loaded where there is one. @returns the exit code */
async function printFailure(
  name: string,
  error: unknown,
  output: string | true | undefined,
  io: CommandIO,
): Promise<number> {
  const { errorDocument, printData, printError } = await import("./output.ts");
  const isUsage = error instanceof UsageError;
  const told = isUsage ? error.coded : error;
  const isDocument = (output === "json" || output === "yaml") && told !== undefined;
  if (isDocument) printData(io.stdout, output, errorDocument(told));
  else printError(io, told ?? error);
  if (isUsage && !isDocument) io.stderr.write(`See: strata ${name} --help\n`);
  return isUsage ? 2 : 1;
}
