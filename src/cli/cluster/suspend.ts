import { clusterHelp, clusterOptions, getObject, parseNamed, patchObject, withCluster } from "./session.ts";
import { reportOutcome, waitOptions } from "./reconcile.ts";
import { parseTimeout } from "./wait.ts";
import type { Command, CommandIO } from "../command.ts";
import { parseOutputFormat, printData } from "../output.ts";
import { plain } from "../terminal.ts";

const suspendHelp = `
strata suspend stops the reconciling of an ArtifactRepository. What was published stays, and goes on being served.

Usage:
  strata suspend NAME [-n NAMESPACE]

Flags:
${clusterHelp}
  --output json|yaml                 print the object as it is afterwards

Examples:
  strata suspend podinfo -n apps
`;

const resumeHelp = `
strata resume starts the reconciling of a suspended ArtifactRepository again, and waits for the first one.

Usage:
  strata resume NAME [-n NAMESPACE]

Flags:
${clusterHelp}
  --timeout DURATION                 how long to wait; default 5m
  --no-wait                          do not wait
  --output json|yaml                 print the object as it is afterwards

Examples:
  strata resume podinfo -n apps
`;

const resumeOptions = { ...waitOptions, "no-wait": { type: "boolean" } } as const;

export const suspend: Command = {
  summary: "Stop reconciling an ArtifactRepository",
  help: suspendHelp,
  options: clusterOptions,
  run: runSuspend,
};
export const resume: Command = {
  summary: "Start reconciling an ArtifactRepository again",
  help: resumeHelp,
  options: resumeOptions,
  run: runResume,
};

async function runSuspend(args: readonly string[], io: CommandIO): Promise<number> {
  const { name, values } = parseNamed("suspend", args, clusterOptions);
  const format = parseOutputFormat(values.output);
  return await withCluster(values, io, async (cluster) => {
    const object = await patchObject(cluster, name, { spec: { suspend: true } }, io.signal);
    if (format === "text") io.stdout.write(`${plain(`${cluster.namespace}/${name}`)} is suspended\n`);
    else printData(io.stdout, format, object);
    return 0;
  });
}

async function runResume(args: readonly string[], io: CommandIO): Promise<number> {
  const { name, values } = parseNamed("resume", args, resumeOptions);
  const format = parseOutputFormat(values.output);
  const timeoutMs = parseTimeout(values.timeout);
  return await withCluster(values, io, async (cluster) => {
    const { spec } = await getObject(cluster, name, io.signal);
    const object =
      spec?.suspend === true ? await patchObject(cluster, name, { spec: { suspend: null } }, io.signal) : undefined;
    const title = plain(`${cluster.namespace}/${name}`);
    io.stderr.write(object === undefined ? `${title} was not suspended\n` : `${title} is resumed\n`);
    if (values["no-wait"] !== true)
      return await reportOutcome(cluster, { name, token: undefined, timeoutMs, format }, io);
    if (format !== "text") printData(io.stdout, format, object ?? (await getObject(cluster, name, io.signal)));
    return 0;
  });
}
