import type { KubeEvent } from "../../kube/report/events.ts";
import { eventsOf } from "./events.ts";
import { type ClusterObject, clusterFlags, fullName, getObject, parseNames, withCluster } from "./session.ts";
import { ageOf, indented, referenceText } from "./text.ts";
import { describeStatus } from "./status.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, outputFlag, printAnswer } from "../output.ts";
import { formatTable, plain } from "../terminal.ts";

const flags = {
  ...clusterFlags,
  output: { ...outputFlag, help: "print the object and its events for a program" },
} as const satisfies Flags;

const help = `
strata describe tells everything about one ArtifactRepository: conditions, what upstream was read, which layers were
selected, where the artifact was published, and the latest events.

Usage:
  strata describe NAME [-n NAMESPACE]

Flags:
${flagsHelp(flags)}

Examples:
  strata describe podinfo -n apps
`;

export const describe: Command = { summary: "Tell everything about one ArtifactRepository", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { names, values } = parseNames("describe", flags, args);
  if (names.length > 1) throw new UsageError("strata describe takes one name");
  return await withCluster(values, io, async (cluster) => {
    const object = await getObject(cluster, names[0], io.signal);
    const events = await eventsOf(cluster, object, io.signal);
    printAnswer(io, formatOf(values.output), {
      text: () => describeHead(object) + describeStatus(object.status) + describeEvents(events),
      data: { object, events: events ?? null },
      names: [fullName(object)],
    });
    return 0;
  });
}

function describeHead({ metadata, spec = {} }: ClusterObject): string {
  const { deletionTimestamp } = metadata;
  return formatTable([
    ["Name:", metadata.name],
    ["Namespace:", metadata.namespace],
    ["Age:", ageOf(metadata.creationTimestamp)],
    ["URL:", spec.url ?? ""],
    ["Reference:", referenceText(spec.ref)],
    ["Interval:", spec.interval ?? ""],
    ["Suspended:", spec.suspend === true ? "yes" : "no"],
    ...(deletionTimestamp === undefined ? [] : [["Being deleted:", `for ${ageOf(deletionTimestamp)}`]]),
  ]);
}

function describeEvents(events: readonly KubeEvent[] | undefined): string {
  if (events === undefined) return "Events: may not be read with these credentials\n";
  if (events.length === 0) return "Events: none\n";
  return `Events:\n${events.map(({ type, reason, lastTimestamp, count, message }) => `  ${plain(type)} ${plain(reason)}, ${ageOf(lastTimestamp)} ago${count > 1 ? `, ${count} times` : ""}\n${indented(message, "    ")}`).join("")}`;
}
