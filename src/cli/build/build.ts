import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "../../config.ts";
import { buildArtifact, type BuildContext, type Built } from "../../pipeline/build.ts";
import { findContent } from "../../pipeline/component.ts";
import { selectContent } from "../../pipeline/select.ts";
import { resolveRoot } from "../../pipeline/resolve.ts";
import type { Verified } from "../../pipeline/verify.ts";
import type { Decision, Selection } from "../../select/selection.ts";
import type { Verifier } from "../../verify/verifier.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { checkDestination, type Destination, parseDestination, writeToStdout } from "./destination.ts";
import { buildDirectory } from "./directory.ts";
import { buildDocument, printText, type Told } from "./report.ts";
import { givenFlags, selectionFlags, selectionHelp } from "./selection-flags.ts";
import { sourceFromFlags, sourceFromManifest, type BuildSource } from "./source.ts";
import { type DryRun, printDryRun } from "./dry-run.ts";
import { takeVerified } from "./take-verified.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { counted } from "../../text/count.ts";
import { documentFlag, formatBytes, formatOf, printData, type OutputFormat, notAForm } from "../output.ts";
import { lockedRule } from "../lock/file.ts";
import { Progress } from "../progress.ts";
import { parseSource, sourceFlags } from "../source.ts";
import { inFlags } from "../suggested-flags.ts";
import { plain } from "../terminal.ts";
import { trustFlags, withVerifier } from "../trust.ts";
import { writeDirectoryOutput, writeFileOutput } from "../../output/write-output.ts";
import { layerRow } from "../../pipeline/selected.ts";

const otherFlags = {
  file: {
    type: "string",
    short: "f",
    takes: "FILE",
    help: "an ArtifactRepository, with the Secrets that it names; - is standard input",
    otherNames: ["filename"],
  },
  o: {
    type: "string",
    short: "o",
    takes: "DIR|FILE.tar.gz|-",
    help: "where to write the result; - writes the artifact to standard output",
    otherNames: ["out", "dest", "directory", "output-dir"],
  },
  force: {
    type: "boolean",
    help: "remove everything else from DIR; without it, a DIR that holds anything else is refused",
  },
  locked: { type: "boolean", help: "with -f: take the digest that strata lock has written to FILE.lock" },
  "dry-run": { type: "boolean", help: "say what would be taken and why; downloads manifests only" },
  ...trustFlags,
  ...sourceFlags,
  output: {
    ...documentFlag,
    help: "print what was selected for a program; makes the artifact also where a directory is written, to tell its digest and size",
  },
} as const satisfies Flags;

const help = `
strata build makes one artifact of what you select from an OCI artifact, as the controller would.

Usage:
  strata build oci://HOST/REPOSITORY[:TAG][@DIGEST] [SELECTION] -o DIR|FILE.tar.gz
  strata build oci-layout://PATH[:TAG] [SELECTION] -o DIR|FILE.tar.gz
  strata build -f MANIFEST.yaml -o DIR|FILE.tar.gz

${selectionHelp}

Other flags:
${flagsHelp(otherFlags)}

Examples:
  strata build oci://ghcr.io/org/product:1.0.0 --artifact-type 'application/vnd.example.config.*' -o out/
  strata build oci://localhost:5000/timoni/mod:1.0.0 --insecure -o module.tar.gz --output json
`;

const flags = { ...selectionFlags, ...otherFlags } as const;

type Values = FlagValues<typeof flags>;

export const build: Command = { summary: "Build one artifact out of the selected layers", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  checkUsage(values, positionals);
  const destination = await destinationOf({ values, positionals, format }, io);
  const source =
    values.file === undefined
      ? await sourceFromFlags(positionals[0]!, values, { insecure: values.insecure, caFile: values["ca-file"] }, io)
      : await sourceFromFile(values.file, values.locked === true, io);
  const dir = await mkdtemp(join(tmpdir(), "strata-build-"));
  try {
    return await withVerifier(values, io, (verifier) => buildFrom(source, dir, { destination, format, io, verifier }));
  } catch (error) {
    throw values.file === undefined ? inFlags(error) : error;
  } finally {
    await rm(dir, { recursive: true, force: true });
    await source.close();
  }
}

async function sourceFromFile(file: string, isLocked: boolean, io: CommandIO): Promise<BuildSource> {
  const source = await sourceFromManifest(file, io);
  if (!isLocked) return source;
  try {
    return { ...source, rule: await lockedRule(file, source.object) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function checkUsage(values: Values, positionals: readonly string[]): void {
  if (values.file === undefined) {
    if (positionals.length !== 1) throw new UsageError("strata build takes one reference, or -f FILE");
  } else {
    const [flag] = [
      ...givenFlags(values).map(({ name }) => name),
      ...Object.keys(sourceFlags).filter((name) => values[name as keyof typeof sourceFlags] !== undefined),
    ];
    if (positionals.length > 0) throw new UsageError("strata build takes a reference or -f FILE, not both");
    if (flag !== undefined) throw new UsageError(`with -f everything stands in the file; remove --${flag}`);
  }
  if (values.locked === true && (values.file === undefined || values.file === "-"))
    throw new UsageError("--locked reads FILE.lock beside -f FILE; name a file");
  notAForm(values.o, "write --output json or --output yaml to print what was made");
  if (values.o === undefined && values["dry-run"] !== true)
    throw new UsageError("strata build needs -o DIR or -o FILE.tar.gz, or --dry-run");
}

/** Undefined for a dry run. @throws UsageError, StorageFailed */
async function destinationOf(
  { values, positionals, format }: { values: Values; positionals: readonly string[]; format: OutputFormat },
  io: CommandIO,
): Promise<Destination | undefined> {
  if (values["dry-run"] === true) return undefined;
  const destination = parseDestination(values.o!, values.force ?? false);
  if (destination.kind === "stdout" && format !== "text")
    throw new UsageError(`-o - and --output ${format} both write to standard output; leave one of them out`);
  await checkDestination(destination, inputsOf(values.file, positionals[0]), io);
  return destination;
}

/** What is read from this machine. */
function inputsOf(file: string | undefined, text: string | undefined): string[] {
  const reference = text === undefined ? undefined : parseSource(text);
  return [
    ...(reference?.kind === "layout" ? [reference.path] : []),
    ...(file === undefined || file === "-" ? [] : [file]),
  ];
}

interface Output {
  /** Undefined for a dry run. */
  readonly destination: Destination | undefined;
  readonly format: OutputFormat;
  readonly io: CommandIO;
  readonly verifier: Verifier;
}

async function buildFrom(
  source: BuildSource,
  dir: string,
  { destination, format, io, verifier }: Output,
): Promise<number> {
  const decisions: Decision[] = [];
  const onDecision = destination ? undefined : (decision: Decision) => void decisions.push(decision);
  let resolved = await resolveRoot(source.rule, source.repository, "read", io.signal);
  try {
    const { taken, cooling } = await takeVerified(source, resolved, {
      verifier,
      signal: io.signal,
      onDecision,
      onAttempt: (version) => {
        resolved = version;
        decisions.length = 0;
      },
    });
    const { common, verification, selection: known } = taken;
    const found = await findContent({ ...common, place: source.place, open: source.open, verification });
    const context = { ...common, found };
    const selection = known ?? (await selectContent(context, onDecision));
    const about = { verification, cooling };
    if (destination === undefined) printDryRun(io, format, { resolved, found, decisions, selection, ...about });
    else await deliver({ ...context, dir, selection, destination }, { format, io, ...about });
    return 0;
  } catch (error) {
    if (destination === undefined && format === "text")
      printDryRun(io, format, {
        resolved,
        cooling: undefined,
        found: undefined,
        decisions,
        selection: undefined,
        verification: undefined,
      });
    throw error;
  }
}

/** Makes it, and says what was made. */
async function deliver(
  make: Make,
  { format, io, ...about }: Pick<Output, "format" | "io"> & Pick<Verified, "verification"> & Pick<DryRun, "cooling">,
): Promise<void> {
  const { found, resolved, destination } = make;
  if (format === "text") {
    const told = await makeForPeople(make, io);
    printText(destination.kind === "stdout" ? io.stderr : io.stdout, { ...told, resolved, found, ...about });
  } else printData(io.stdout, format, buildDocument(await makeArtifact(make, io), { found, ...about }));
}

interface Make extends BuildContext {
  readonly selection: Selection;
  readonly destination: Destination;
}

/** Nobody is told about the artifact where a directory is written: it need not be made. */
async function makeForPeople(make: Make, io: CommandIO): Promise<Told> {
  const { selection, destination } = make;
  const place = destination.kind === "stdout" ? "standard output" : destination.path;
  const built =
    destination.kind === "directory"
      ? await withProgress(io, (onBytes) => buildDirectory({ ...make, ...onBytes }, selection, destination))
      : undefined;
  if (built !== undefined)
    return {
      ...built,
      written: `${place} (${counted(built.files, "file")}, ${formatBytes(built.bytes)})`,
    };
  const { selection: done, result, revision } = await makeArtifact(make, io);
  return {
    selection: done,
    revision,
    skipped: result.skipped,
    leftOut: result.leftOut,
    written: `${place} (${formatBytes(result.blob.size)}${result.blob.verbatim && destination.kind !== "directory" ? ", byte for byte as upstream" : ""})`,
  };
}

/** Makes the artifact, and writes it or what is in it. */
async function makeArtifact(make: Make, io: CommandIO): Promise<Built> {
  const { selection, destination } = make;
  const built = await withProgress(io, (onBytes) => buildArtifact({ ...make, ...onBytes }, selection));
  const { blob } = built.result;
  if (destination.kind === "stdout") await writeToStdout(blob, io);
  else if (destination.kind === "file") await writeFileOutput(blob, destination.path);
  else {
    const { path, force } = destination;
    await writeDirectoryOutput(blob, path, { limits: defaultLimits, force, signal: io.signal });
  }
  return built;
}

async function withProgress<T>(
  io: CommandIO,
  work: (context: Pick<BuildContext, "onBytes">) => Promise<T>,
): Promise<T> {
  const progress = new Progress(io);
  try {
    const onBytes: BuildContext["onBytes"] = (layer, bytes) =>
      progress.add(
        layer.descriptor.digest,
        plain(layerRow(layer).title ?? layer.descriptor.mediaType),
        layer.descriptor.size,
        bytes,
      );
    return await work(io.terminal ? { onBytes } : {});
  } finally {
    progress.clear();
  }
}
