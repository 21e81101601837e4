import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { givenFlags, selectionFlags, selectionHelp } from "../build/selection-flags.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { documentFlag, errorDocument, formatOf, type OutputFormat, printData, printError } from "../output.ts";
import { inSourceFlags, sourceFlags } from "../source.ts";
import { inFlags } from "../suggested-flags.ts";
import { plain } from "../terminal.ts";
import { trustFlags, withVerifier } from "../trust.ts";
import { type Change, changesBetween } from "./changes.ts";
import type { ListedFile } from "./files.ts";
import { kindOf, openSide, type Side } from "./side.ts";

const otherFlags = {
  ...trustFlags,
  ...sourceFlags,
  output: { ...documentFlag, short: "o", help: "print what differs for a program" },
} as const satisfies Flags;

const help = `
strata diff compares two artifacts as strata build makes them, file by file: which there are, their modes, and their
content as a unified diff.

Usage:
  strata diff A B [SELECTION]

A and B are each one of:
  oci://HOST/REPOSITORY[:TAG][@DIGEST]   what is selected of it
  oci-layout://PATH[:TAG]                the same, of a layout on disk
  MANIFEST.yaml                          what the one ArtifactRepository in the file selects
  DIRECTORY                              the files below it

${selectionHelp}

Other flags:
${flagsHelp(otherFlags)}

Exit codes, as those of diff:
  0  equal
  1  different
  2  it could not be found out, or the command line is wrong

Examples:
  strata diff oci://ghcr.io/org/product:1.0.0 oci://ghcr.io/org/product:1.1.0
  strata diff oci://ghcr.io/org/config:latest deploy/ --output json
`;

const flags = { ...selectionFlags, ...otherFlags } as const;

type Values = FlagValues<typeof flags>;

export const diff: Command = { summary: "Compare two artifacts, file by file", help, options: flags, run };

/** As POSIX has it for diff. */
const exitCodes = { equal: 0, different: 1, trouble: 2 } as const;

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  const [a, b, ...more] = positionals;
  if (a === undefined || b === undefined || more.length > 0) throw new UsageError("strata diff takes two to compare");
  await checkUsage([a, b], values);
  try {
    return await compare([a, b], { values, format }, io);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const told = inSourceFlags(inFlags(error));
    if (format === "text") printError(io, told);
    else printData(io.stdout, format, errorDocument(told));
    return exitCodes.trouble;
  }
}

/** Flags that say nothing would be a silent guess. @throws UsageError */
async function checkUsage(texts: readonly string[], values: Values): Promise<void> {
  const kinds = await Promise.all(texts.map(kindOf));
  const [given] = givenFlags(values);
  if (given !== undefined && !kinds.includes("reference"))
    throw new UsageError(`--${given.name} is about references, and none is compared; remove it`);
}

async function compare(
  [a, b]: readonly [string, string],
  { values, format }: { readonly values: Values; readonly format: OutputFormat },
  io: CommandIO,
): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), "strata-diff-"));
  const side = async (text: string, name: string): Promise<Side> => {
    await mkdir(join(dir, name));
    const access = { insecure: values.insecure, caFile: values["ca-file"] };
    return await withVerifier(values, io, (verifier) =>
      openSide({ text, dir: join(dir, name), selection: values, flags: access, verifier }, io),
    );
  };
  try {
    const sides = { a: await side(a, "a"), b: await side(b, "b") };
    const changes = await changesBetween(sides.a.files, sides.b.files, io.signal);
    if (format === "text") io.stdout.write(changes.map(changeText).join(""));
    else printData(io.stdout, format, documentOf(sides, changes));
    return changes.length === 0 ? exitCodes.equal : exitCodes.different;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function documentOf({ a, b }: { readonly a: Side; readonly b: Side }, changes: readonly Change[]) {
  const about = ({ name, digest, revision }: Side) => ({ name, digest, revision });
  return {
    equal: changes.length === 0,
    a: about(a),
    b: about(b),
    changes: changes.map(({ path, change, before, after, diff: text, omitted }) => ({
      path,
      change,
      before: factsOf(before),
      after: factsOf(after),
      diff: text,
      omitted,
    })),
  };
}

function factsOf(file: ListedFile | undefined) {
  if (file === undefined) return null;
  const { type, size, digest } = file;
  return type === "file" ? { type, mode: modeOf(file), size, digest: `sha256:${digest}` } : { type };
}

const modeOf = ({ isExecutable }: ListedFile): string => (isExecutable ? "0755" : "0644");

/** As git and diff write it. */
function changeText(change: Change): string {
  const { path, before, after, diff: text, omitted } = change;
  const name = plain(path);
  const sizes = `${before?.size ?? 0} bytes before, ${after?.size ?? 0} after`;
  const head = [
    `diff a/${name} b/${name}`,
    ...kindLines(change),
    ...(omitted === undefined ? [] : [`content differs and is not shown (${omitted}): ${sizes}`]),
  ];
  return `${head.join("\n")}\n${text ?? ""}`;
}

function kindLines({ before, after }: Change): string[] {
  if (before === undefined || after === undefined)
    return [...(after ? [`new ${kindText(after)}`] : []), ...(before ? [`deleted ${kindText(before)}`] : [])];
  if (before.type !== after.type) return [`old ${kindText(before)}`, `new ${kindText(after)}`];
  return before.isExecutable === after.isExecutable ? [] : [`old mode ${modeOf(before)}`, `new mode ${modeOf(after)}`];
}

function kindText(file: ListedFile): string {
  return file.type === "file" ? `file mode ${modeOf(file)}` : file.type;
}
