import { CodedError } from "../../errors.ts";
import {
  type Cluster,
  type ClusterObject,
  clusterHelp,
  clusterOptions,
  getObject,
  parseNamed,
  requestReconcile,
  withCluster,
} from "./session.ts";
import { readyOf } from "./text.ts";
import { parseTimeout, waitForReconcile } from "./wait.ts";
import type { Command, CommandIO } from "../command.ts";
import { type OutputFormat, parseOutputFormat, printData } from "../output.ts";
import { plain } from "../terminal.ts";

const help = `
strata reconcile asks the controller to look at an ArtifactRepository now, and waits for what comes of it. The exit code is 1
where it does not become ready.

Usage:
  strata reconcile NAME [-n NAMESPACE]

Flags:
${clusterHelp}
  --timeout DURATION                 how long to wait; default 5m
  --output json|yaml                 print the object as it is afterwards

Examples:
  strata reconcile podinfo -n apps
  strata reconcile podinfo -n apps --timeout 30s --output json
`;

export const waitOptions = { ...clusterOptions, timeout: { type: "string" } } as const;

export const reconcile: Command = { summary: "Reconcile an ArtifactRepository now", help, options: waitOptions, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { name, values } = parseNamed("reconcile", args, waitOptions);
  const format = parseOutputFormat(values.output);
  const timeoutMs = parseTimeout(values.timeout);
  return await withCluster(values, io, async (cluster) => {
    const { spec } = await getObject(cluster, name, io.signal);
    if (spec?.suspend === true)
      throw new CodedError(
        "InvalidSpec",
        `ArtifactRepository ${name} is suspended; strata resume ${name} -n ${cluster.namespace} starts it again`,
      );
    const token = await requestReconcile(cluster, name, io.signal);
    io.stderr.write(`reconcile of ${plain(`${cluster.namespace}/${name}`)} requested\n`);
    return await reportOutcome(cluster, { name, token, timeoutMs, format }, io);
  });
}

/** Waits, prints what came of it, and returns the exit code. */
export async function reportOutcome(
  cluster: Cluster,
  job: {
    readonly name: string;
    readonly token: string | undefined;
    readonly timeoutMs: number;
    readonly format: OutputFormat;
  },
  io: CommandIO,
): Promise<number> {
  const onProgress = (message: string): void => void io.stderr.write(`waiting: ${plain(message)}\n`);
  const object = await waitForReconcile(
    cluster,
    job.name,
    { token: job.token, timeoutMs: job.timeoutMs, onProgress },
    io.signal,
  );
  if (job.format === "text") printOutcome(object, io);
  else printData(io.stdout, job.format, object);
  return readyOf(object.status)?.status === "True" ? 0 : 1;
}

function printOutcome({ metadata, status }: ClusterObject, io: CommandIO): void {
  const ready = readyOf(status);
  const title = plain(`${metadata.namespace}/${metadata.name}`);
  if (ready?.status !== "True") {
    const lines = (ready?.message ?? "").split("\n").map(plain);
    io.stderr.write(`${title} is not ready: ${lines.join("\n")} [${ready?.reason}]\n`);
    return;
  }
  io.stdout.write(`${title} is ready: ${plain(ready.message)}\n`);
  if (status?.artifact !== undefined) io.stdout.write(`revision ${plain(status.artifact.revision)}\n`);
}
