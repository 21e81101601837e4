import { cliDefaults } from "../../config.ts";
import { CodedError } from "../../errors.ts";
import { message } from "../../text/printable.ts";
import {
  type Cluster,
  type ClusterObject,
  clusterFlags,
  getObject,
  parseNames,
  requestReconcile,
  withCluster,
} from "./session.ts";
import { type Outcome, forEachName } from "./each.ts";
import { readyOf, wholeMessage } from "./text.ts";
import { parseTimeout, waitForReconcile } from "./wait.ts";
import type { Command, CommandIO } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, outputFlag } from "../output.ts";
import { paint } from "../screen.ts";
import { plain } from "../terminal.ts";

export const waitFlags = {
  ...clusterFlags,
  timeout: {
    type: "string",
    takes: "DURATION",
    default: cliDefaults.reconcileTimeout,
    help: `how long to wait; default ${cliDefaults.reconcileTimeout}`,
  },
  output: { ...outputFlag, help: "print the objects as they are afterwards; name: only what they are called" },
} as const satisfies Flags;

const help = `
strata reconcile asks the controller to look at ArtifactRepositories now, and waits for what comes of it. The exit code is 1
where one does not become ready.

Usage:
  strata reconcile NAME… [-n NAMESPACE]

Flags:
${flagsHelp(waitFlags)}

Examples:
  strata reconcile podinfo -n apps
  strata reconcile podinfo frontend -n apps --timeout 30s --output json
`;

const summary = "Reconcile an ArtifactRepository now";

export const reconcile: Command = { summary, help, options: waitFlags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { names, values } = parseNames("reconcile", waitFlags, args);
  const timeoutMs = parseTimeout(values.timeout);
  return await withCluster(values, io, (cluster) =>
    forEachName(names, formatOf(values.output), io, async (name) => {
      const { spec } = await getObject(cluster, name, io.signal);
      if (spec?.suspend === true)
        throw new CodedError(
          "InvalidSpec",
          `ArtifactRepository ${name} is suspended; strata resume ${name} -n ${cluster.namespace} starts it again`,
        );
      const token = await requestReconcile(cluster, name, io.signal);
      io.stderr.write(`reconcile of ${plain(`${cluster.namespace}/${name}`)} requested\n`);
      return await outcomeOf(cluster, { name, token, timeoutMs }, io);
    }),
  );
}

/** Waits for the controller, and says on stderr what for. */
export async function outcomeOf(
  cluster: Cluster,
  job: { readonly name: string; readonly token: string | undefined; readonly timeoutMs: number },
  io: CommandIO,
): Promise<Outcome> {
  const { name, token, timeoutMs } = job;
  const onProgress = (text: string): void =>
    void io.stderr.write(`${plain(`${cluster.namespace}/${name}`)} waiting: ${plain(text)}\n`);
  const object = await waitForReconcile(cluster, name, { token, timeoutMs, onProgress }, io.signal);
  const isReady = readyOf(object.status)?.status === "True";
  if (isReady) return { object, ok: true, text: readyText(object, io) };
  io.stderr.write(notReadyText(object, io));
  return { object, ok: false, text: "" };
}

function readyText({ metadata, status }: ClusterObject, { out }: CommandIO): string {
  const ready = `${plain(`${metadata.namespace}/${metadata.name}`)} is ${paint(out, "good", "ready")}: ${plain(readyOf(status)?.message ?? "")}\n`;
  return status?.artifact === undefined ? ready : `${ready}revision ${plain(status.artifact.revision)}\n`;
}

/** The reason stands before the advice, which is last. */
function notReadyText({ metadata, status }: ClusterObject, { err }: CommandIO): string {
  const { reason = "" } = readyOf(status) ?? {};
  const [first = "", ...rest] = message(wholeMessage(status ?? {}), 32 * 1024).split("\n");
  const head = `${plain(`${metadata.namespace}/${metadata.name}`)} is ${paint(err, "bad", "not ready")}: ${first} [${plain(reason)}]`;
  return `${[head, ...rest].join("\n")}\n`;
}
