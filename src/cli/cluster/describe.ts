import { codeOf } from "../../errors.ts";
import { eventResource, type KubeEvent } from "../../kube/report/events.ts";
import {
  type Cluster,
  type ClusterObject,
  clusterHelp,
  clusterOptions,
  getObject,
  parseNamed,
  withCluster,
} from "./session.ts";
import { ageOf, indented } from "./text.ts";
import { describeStatus } from "./status.ts";
import type { Command, CommandIO } from "../command.ts";
import { parseOutputFormat, printData } from "../output.ts";
import { formatTable, plain } from "../terminal.ts";

const help = `
strata describe tells everything about one ArtifactRepository: conditions, what upstream was read, which layers were
selected, where the artifact was published, and the latest events.

Usage:
  strata describe NAME [-n NAMESPACE]

Flags:
${clusterHelp}
  --output json|yaml                 print the object and its events for a program

Examples:
  strata describe podinfo -n apps
`;

const maxEvents = 20;

export const describe: Command = {
  summary: "Tell everything about one ArtifactRepository",
  help,
  options: clusterOptions,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { name, values } = parseNamed("describe", args, clusterOptions);
  const format = parseOutputFormat(values.output);
  return await withCluster(values, io, async (cluster) => {
    const object = await getObject(cluster, name, io.signal);
    const events = await eventsOf(cluster, object, io.signal);
    if (format === "text")
      io.stdout.write(describeHead(object) + describeStatus(object.status) + describeEvents(events));
    else printData(io.stdout, format, { object, events: events ?? null });
    return 0;
  });
}

/** The latest events, oldest first; undefined where they may not be read. */
async function eventsOf(
  { client, namespace }: Cluster,
  { metadata }: ClusterObject,
  signal: AbortSignal,
): Promise<readonly KubeEvent[] | undefined> {
  try {
    const { items } = await client.list<KubeEvent>(eventResource, { namespace }, signal);
    const own = items.filter(({ involvedObject }) => involvedObject.uid === metadata.uid);
    return own.toSorted((a, b) => timeOf(a) - timeOf(b)).slice(-maxEvents);
  } catch (error) {
    if (codeOf(error) === "AccessDenied") return undefined;
    throw error;
  }
}

function timeOf({ lastTimestamp }: KubeEvent): number {
  return Date.parse(lastTimestamp) || 0;
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

function referenceText(ref: object = {}): string {
  const fields = Object.entries(ref).map(
    ([field, value]) => `${field} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return fields.join(", ") || "tag latest";
}

function describeEvents(events: readonly KubeEvent[] | undefined): string {
  if (events === undefined) return "Events: may not be read with these credentials\n";
  if (events.length === 0) return "Events: none\n";
  return `Events:\n${events.map(({ type, reason, lastTimestamp, count, message }) => `  ${plain(type)} ${plain(reason)}, ${ageOf(lastTimestamp)} ago${count > 1 ? `, ${count} times` : ""}\n${indented(message, "    ")}`).join("")}`;
}
