import { artifactRepositories } from "../../../api/kinds.ts";
import { GROUP, PLURAL, RECONCILE_REQUEST_ANNOTATION } from "../../../api/v1beta1/constants.ts";
import { kubeDefaults } from "../../config.ts";
import { CodedError } from "../../errors.ts";
import type { KubeClient, ObjectKey } from "../../kube/client.ts";
import { connectKube } from "../../kube/http/connect.ts";
import { type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { paint } from "../screen.ts";
import { plain } from "../terminal.ts";
import type { RawObject } from "../../pipeline/object.ts";

/** Flags of every command that talks to a cluster. */
export const clusterFlags = {
  namespace: {
    type: "string",
    short: "n",
    takes: "NAMESPACE",
    help: "default: that of the kubeconfig's context",
    otherNames: ["ns"],
  },
  context: {
    type: "string",
    takes: "NAME",
    help: "of the kubeconfig; default: its current-context",
    otherNames: ["kube-context"],
  },
  kubeconfig: { type: "string", takes: "FILE", help: "default: KUBECONFIG, else ~/.kube/config" },
} as const satisfies Flags;

/** An ArtifactRepository as the API server has it. The status is the controller's; the spec may be anything. */
export type ClusterObject = RawObject & {
  readonly spec?: {
    readonly suspend?: boolean;
    readonly url?: string;
    readonly ref?: object;
    readonly interval?: string;
  };
};

/** A cluster, for the time of one command. */
export interface Cluster {
  readonly client: KubeClient;
  readonly namespace: string;
}

interface ClusterValues {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Who writes; GitOps tools take back what `kubectl` changed, and leave what others did. */
const fieldManager = "strata";

/** Connects, does the work and disconnects. @throws InvalidSpec for an unusable kubeconfig; what the work throws */
export async function withCluster<T>(
  values: ClusterValues,
  io: CommandIO,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const connection = await connectKube({
    ...kubeDefaults,
    kubeconfig: values.kubeconfig ?? io.environment.kubeconfig,
    context: values.context,
    onUnverified: (warning) => void io.stderr.write(`${paint(io.err, "warn", "warning:")} ${plain(warning)}\n`),
    inCluster: { server: "", directory: "" },
    qps: 0,
    burst: 0,
    userAgent: "strata",
  });
  try {
    return await work({ client: connection.client, namespace: values.namespace ?? connection.namespace });
  } finally {
    await connection.close();
  }
}

/** What stands before a name where `-o name` has written it. */
const kindPrefix = new RegExp(`^(?:${PLURAL}|artifactrepository|ar)(?:\\.${GROUP.replaceAll(".", "\\.")})?/`, "i");

/** `app`, or `artifactrepository.source.strata.dev/app` as `-o name` and kubectl write it. @throws UsageError */
export function nameOf(text: string): string {
  const name = text.replace(kindPrefix, "");
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) return name;
  throw new UsageError(
    `"${text}" is not the name of an ArtifactRepository; write its name alone, and its namespace after -n`,
  );
}

/** What `-o name` writes. */
export function fullName({ metadata }: Pick<ClusterObject, "metadata">): string {
  return `artifactrepository.${GROUP}/${metadata.name}`;
}

/** The arguments of a command that takes one or more names. @throws UsageError */
export function parseNames<const T extends Flags>(
  command: string,
  flags: T,
  args: readonly string[],
): { readonly names: readonly [string, ...string[]]; readonly values: FlagValues<T> } {
  const { values, positionals } = parseFlags(flags, args);
  const [first, ...others] = [...new Set(positionals.map(nameOf))];
  if (first === undefined)
    throw new UsageError(`strata ${command} takes the name of an ArtifactRepository; strata get lists them`);
  return { names: [first, ...others], values };
}

/** @throws NotFound */
export async function getObject(
  { client, namespace }: Cluster,
  name: string,
  signal: AbortSignal,
): Promise<ClusterObject> {
  const object = await client.get<ClusterObject>(artifactRepositories, { namespace, name }, signal);
  if (object === undefined)
    throw new CodedError("NotFound", `there is no ArtifactRepository ${name} in the namespace ${namespace}`);
  return object;
}

/** Asks for a reconcile now; the controller repeats the returned token once it has acted. */
export async function requestReconcile(cluster: Cluster, name: string, signal: AbortSignal): Promise<string> {
  const token = new Date().toISOString();
  await patchObject(cluster, name, { metadata: { annotations: { [RECONCILE_REQUEST_ANNOTATION]: token } } }, signal);
  return token;
}

/** A JSON merge patch. @throws NotFound, AccessDenied, … */
export async function patchObject(
  { client, namespace }: Cluster,
  name: string,
  patch: object,
  signal: AbortSignal,
): Promise<ClusterObject> {
  const key: ObjectKey = { namespace, name };
  return await client.patch<ClusterObject>(artifactRepositories, key, patch, { fieldManager }, signal);
}
