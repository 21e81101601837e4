import { clusterFlags, getObject, parseNames, patchObject, withCluster } from "./session.ts";
import { forEachName } from "./each.ts";
import { outcomeOf, waitFlags } from "./reconcile.ts";
import { parseTimeout } from "./wait.ts";
import type { Command, CommandIO } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf } from "../output.ts";
import { plain } from "../terminal.ts";

const suspendFlags = { ...clusterFlags, output: waitFlags.output } as const satisfies Flags;
const resumeFlags = { ...waitFlags, "no-wait": { type: "boolean", help: "do not wait" } } as const satisfies Flags;

const suspendHelp = `
strata suspend stops the reconciling of ArtifactRepositories. What was published stays, and goes on being served.

Usage:
  strata suspend NAME… [-n NAMESPACE]

Flags:
${flagsHelp(suspendFlags)}

Examples:
  strata suspend podinfo -n apps
`;

const resumeHelp = `
strata resume starts the reconciling of suspended ArtifactRepositories again, and waits for the first one of each.

Usage:
  strata resume NAME… [-n NAMESPACE]

Flags:
${flagsHelp(resumeFlags)}

Examples:
  strata resume podinfo -n apps
`;

export const suspend: Command = {
  summary: "Stop reconciling an ArtifactRepository",
  help: suspendHelp,
  options: suspendFlags,
  run: runSuspend,
};
export const resume: Command = {
  summary: "Start reconciling an ArtifactRepository again",
  help: resumeHelp,
  options: resumeFlags,
  run: runResume,
};

async function runSuspend(args: readonly string[], io: CommandIO): Promise<number> {
  const { names, values } = parseNames("suspend", suspendFlags, args);
  return await withCluster(values, io, (cluster) =>
    forEachName(names, formatOf(values.output), io, async (name) => {
      const object = await patchObject(cluster, name, { spec: { suspend: true } }, io.signal);
      return { object, ok: true, text: `${plain(`${cluster.namespace}/${name}`)} is suspended\n` };
    }),
  );
}

async function runResume(args: readonly string[], io: CommandIO): Promise<number> {
  const { names, values } = parseNames("resume", resumeFlags, args);
  const timeoutMs = parseTimeout(values.timeout);
  return await withCluster(values, io, (cluster) =>
    forEachName(names, formatOf(values.output), io, async (name) => {
      const before = await getObject(cluster, name, io.signal);
      const isSuspended = before.spec?.suspend === true;
      const object = isSuspended ? await patchObject(cluster, name, { spec: { suspend: null } }, io.signal) : before;
      io.stderr.write(`${plain(`${cluster.namespace}/${name}`)} ${isSuspended ? "is resumed" : "was not suspended"}\n`);
      if (values["no-wait"] === true) return { object, ok: true, text: "" };
      return await outcomeOf(cluster, { name, token: undefined, timeoutMs }, io);
    }),
  );
}
