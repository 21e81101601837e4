import { artifactRepositories } from "../../../api/kinds.ts";
import { clusterFlags, type Cluster, type ClusterObject, fullName, getObject, nameOf, withCluster } from "./session.ts";
import { type Row, rowsOf, widthsFor } from "./rows.ts";
import { watchObjects } from "./watch.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, type OutputFormat, outputFlag, printAnswer, printError } from "../output.ts";
import { formatTable } from "../terminal.ts";

const flags = {
  ...clusterFlags,
  "all-namespaces": { type: "boolean", short: "A", help: "those of every namespace", otherNames: ["all"] },
  selector: {
    type: "string",
    short: "l",
    takes: "SELECTOR",
    help: "only those with matching labels, such as team=a",
    otherNames: ["labels", "label-selector"],
  },
  watch: { type: "boolean", short: "w", help: "go on: a line for each change, until the command is stopped" },
  output: { ...outputFlag, help: "print the objects themselves; name: only what they are called" },
} as const satisfies Flags;

const help = `
strata get lists the ArtifactRepositories of a cluster with their revisions and whether they are ready.

Usage:
  strata get [NAME…] [-n NAMESPACE | -A] [--watch]

Flags:
${flagsHelp(flags)}

Examples:
  strata get -n apps
  strata get -A --watch
  strata get podinfo -n apps --output yaml
`;

export const get: Command = { summary: "List the ArtifactRepositories of a cluster", help, options: flags, run };

/** Which objects are meant. */
interface Wanted {
  readonly names: readonly string[];
  readonly everywhere: boolean;
  readonly labelSelector: string | undefined;
}

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const wanted = wantedBy(values, positionals);
  const format = formatOf(values.output);
  return await withCluster(values, io, async (cluster) => {
    const { objects, failures } = await find(cluster, wanted, io.signal);
    const widths = values.watch === true ? widthsFor(objects, wanted.everywhere) : [];
    print(objects, { ...wanted, format, widths }, io);
    for (const failure of failures) printError(io, failure);
    if (values.watch === true) return await watchOn(cluster, { objects, wanted, format, widths }, io);
    if (objects.length === 0 && wanted.names.length === 0)
      io.stderr.write(
        `there are no ArtifactRepositories${wanted.everywhere ? "" : ` in the namespace ${cluster.namespace}`}\n`,
      );
    return failures.length === 0 ? 0 : 1;
  });
}

function wantedBy(values: FlagValues<typeof flags>, positionals: readonly string[]): Wanted {
  const names = [...new Set(positionals.map(nameOf))];
  const everywhere = values["all-namespaces"] ?? false;
  if (names.length > 0 && (everywhere || values.selector !== undefined))
    throw new UsageError("a name goes with -n NAMESPACE, not with -A or -l");
  if (everywhere && values.namespace !== undefined) throw new UsageError("write either -n NAMESPACE or -A");
  return { names, everywhere, labelSelector: values.selector };
}

/** @throws what is wrong with the only name, or with the list */
async function find(
  cluster: Cluster,
  { names, everywhere, labelSelector }: Wanted,
  signal: AbortSignal,
): Promise<{ objects: readonly ClusterObject[]; failures: readonly unknown[] }> {
  if (names.length === 0) {
    const where = { namespace: everywhere ? undefined : cluster.namespace, labelSelector };
    const { items } = await cluster.client.list<ClusterObject>(artifactRepositories, where, signal);
    return { objects: items, failures: [] };
  }
  if (names.length === 1) return { objects: [await getObject(cluster, names[0]!, signal)], failures: [] };
  const results = await Promise.allSettled(names.map((name) => getObject(cluster, name, signal)));
  return {
    objects: results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])),
    failures: results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : [])),
  };
}

function print(
  objects: readonly ClusterObject[],
  { names, everywhere, format, widths }: Wanted & Pick<Watched, "format" | "widths">,
  io: CommandIO,
): void {
  printAnswer(io, format, {
    text: () => (objects.length === 0 ? "" : formatTable(rowsOf(objects, everywhere), io.out, widths)),
    data: names.length === 1 ? objects[0] : { apiVersion: "v1", kind: "List", items: objects },
    names: objects.map(fullName),
  });
}

interface Watched {
  readonly objects: readonly ClusterObject[];
  readonly wanted: Wanted;
  readonly format: OutputFormat;
  readonly widths: readonly number[];
}

/** A line, or a document, for each change after what was printed. */
async function watchOn(cluster: Cluster, { objects, wanted, format, widths }: Watched, io: CommandIO): Promise<number> {
  const { everywhere, labelSelector, names } = wanted;
  const where = { namespace: everywhere ? undefined : cluster.namespace, labelSelector };
  let isHeaded = objects.length > 0;
  await watchObjects(cluster, { where, known: objects }, io, (object, isGone) => {
    if (names.length > 0 && !names.includes(object.metadata.name)) return;
    const [head, row] = rowsOf([object], everywhere, isGone) as [Row, Row];
    const rows = isHeaded ? [row] : [head, row];
    isHeaded = true;
    printAnswer(io, format, {
      text: () => formatTable(rows, io.out, widths),
      data: isGone ? { ...object, deleted: true } : object,
      names: [fullName(object)],
    });
  });
  return 0;
}
