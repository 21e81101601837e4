import { eventsOf } from "../cluster/events.ts";
import { type Cluster, clusterFlags, fullName, getObject, parseNames, withCluster } from "../cluster/session.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, outputFlag, printAnswer } from "../output.ts";
import { writeMade } from "../written.ts";
import { readArtifact } from "./artifact.ts";
import { findConsumers, readOnly } from "./consumers.ts";
import { type Explanation, explanationDocument } from "./explanation.ts";
import { explanationPage } from "./page.ts";
import { sectionsOf } from "./sections.ts";
import { explanationText } from "./text.ts";

const flags = {
  ...clusterFlags,
  html: { type: "string", takes: "FILE", help: "write the same as a page for a browser; - is standard output" },
  output: { ...outputFlag, help: "print all of it for a program" },
} as const satisfies Flags;

const help = `
strata explain tells all about one ArtifactRepository and its artifact in one view: what fails and the line to change, what it
resolved to, which manifests and layers are taken and why the others are not, what was published where, who reads it, every
condition with what to do about it, and the last events. It only reads: the object, its events and its consumers in the cluster, and
manifests in the registry.

Usage:
  strata explain NAME [-n NAMESPACE]

The registry is asked as the controller asks it, with the Secrets of the object; where they may not be read, with Docker's
credentials. Signatures are not checked again. What may not be read is said at the end. Exit code 0 also where the object fails: it
was explained.

Flags:
${flagsHelp(flags)}

Examples:
  strata explain podinfo -n apps
  strata explain podinfo -n apps --html podinfo.html
`;

const summary = "Explain one ArtifactRepository together with its artifact";

export const explain: Command = { summary, help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { names, values } = parseNames("explain", flags, args);
  const format = formatOf(values.output);
  if (names.length > 1) throw new UsageError("strata explain takes one name");
  if (values.html !== undefined && format !== "text")
    throw new UsageError("strata explain writes a page or prints data; pass --html or --output, not both");
  return await withCluster(values, io, async (connected) => {
    const explanation = await gather({ ...connected, client: readOnly(connected.client) }, names[0], io);
    const sections = sectionsOf(explanation);
    const { html } = values;
    if (html !== undefined) {
      const text = explanationPage(`${connected.namespace}/${names[0]}`, sections);
      await writeMade({ text, path: html, flag: "w", next: ["open it in a browser; it needs no network"] }, io);
    } else
      printAnswer(io, format, {
        text: () => explanationText(sections, io.out),
        data: explanationDocument(explanation),
        names: [fullName(explanation.object)],
      });
    return 0;
  });
}

/** Reads everything at the same time. @throws NotFound, AccessDenied for the object itself, KubeUnreachable */
async function gather(cluster: Cluster, name: string, io: CommandIO): Promise<Explanation> {
  const object = await getObject(cluster, name, io.signal);
  const key = { namespace: cluster.namespace, name };
  const [artifact, consumers, events] = await Promise.all([
    readArtifact(object, cluster.client, io),
    findConsumers(cluster.client, key, io.signal),
    eventsOf(cluster, object, io.signal),
  ]);
  return { object, artifact, consumers, events };
}
