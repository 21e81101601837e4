import { artifactRepositories } from "../../../api/kinds.ts";
import { parseArgs } from "node:util";
import { clusterHelp, type Cluster, type ClusterObject, clusterOptions, getObject, withCluster } from "./session.ts";
import { oneLine } from "../../text/printable.ts";
import { booleanText, readyOf, shortRevision } from "./text.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { parseOutputFormat, printData } from "../output.ts";
import { formatTable } from "../terminal.ts";

const help = `
strata get lists the ArtifactRepositories of a cluster with their revisions and whether they are ready.

Usage:
  strata get [NAME] [-n NAMESPACE | -A]

Flags:
${clusterHelp}
  -A, --all-namespaces               those of every namespace
  -l, --selector SELECTOR            only those with matching labels, such as team=a
  --output json|yaml                 print the objects themselves

Examples:
  strata get -n apps
  strata get podinfo -n apps --output yaml
`;

const options = {
  ...clusterOptions,
  "all-namespaces": { type: "boolean", short: "A" },
  selector: { type: "string", short: "l" },
} as const;

export const get: Command = { summary: "List the ArtifactRepositories of a cluster", help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const format = parseOutputFormat(values.output);
  const [name] = positionals;
  const everywhere = values["all-namespaces"] ?? false;
  if (positionals.length > 1) throw new UsageError("strata get takes one name, or none");
  if (name !== undefined && (everywhere || values.selector !== undefined))
    throw new UsageError("a name goes with -n NAMESPACE, not with -A or -l");
  if (everywhere && values.namespace !== undefined) throw new UsageError("write either -n NAMESPACE or -A");
  return await withCluster(values, io, async (cluster) => {
    if (name !== undefined) {
      const object = await getObject(cluster, name, io.signal);
      if (format === "text") io.stdout.write(tableOf([object], false));
      else printData(io.stdout, format, object);
      return 0;
    }
    const items = await list(cluster, { everywhere, labelSelector: values.selector }, io.signal);
    if (format !== "text") printData(io.stdout, format, { apiVersion: "v1", kind: "List", items });
    else if (items.length > 0) io.stdout.write(tableOf(items, everywhere));
    else
      io.stderr.write(
        `there are no ArtifactRepositories${everywhere ? "" : ` in the namespace ${cluster.namespace}`}\n`,
      );
    return 0;
  });
}

async function list(
  { client, namespace }: Cluster,
  which: { readonly everywhere: boolean; readonly labelSelector: string | undefined },
  signal: AbortSignal,
): Promise<readonly ClusterObject[]> {
  const { items } = await client.list<ClusterObject>(
    artifactRepositories,
    { namespace: which.everywhere ? undefined : namespace, labelSelector: which.labelSelector },
    signal,
  );
  return items;
}

function tableOf(objects: readonly ClusterObject[], withNamespace: boolean): string {
  const rows = objects.map(({ metadata, spec, status }) => {
    const ready = readyOf(status);
    return [
      ...(withNamespace ? [metadata.namespace] : []),
      metadata.name,
      shortRevision(status?.artifact?.revision),
      booleanText(spec?.suspend),
      ready?.status ?? "Unknown",
      oneLine(ready?.message ?? "waiting to be reconciled"),
    ];
  });
  return formatTable([
    [...(withNamespace ? ["NAMESPACE"] : []), "NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"],
    ...rows,
  ]);
}
