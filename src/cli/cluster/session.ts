import { artifactRepositories } from "../../../api/kinds.ts";
import { parseArgs } from "node:util";
import { RECONCILE_REQUEST_ANNOTATION } from "../../../api/v1beta1/constants.ts";
import { kubeDefaults } from "../../config.ts";
import { CodedError } from "../../errors.ts";
import type { KubeClient, ObjectKey } from "../../kube/client.ts";
import { connectKube } from "../../kube/http/connect.ts";
import { type CommandIO, UsageError } from "../command.ts";
import type { RawObject } from "../../pipeline/object.ts";

/** Flags of every command that talks to a cluster. */
export const clusterOptions = {
  namespace: { type: "string", short: "n" },
  kubeconfig: { type: "string" },
  output: { type: "string" },
} as const;

/** The help lines of `clusterOptions`. */
export const clusterHelp = `  -n, --namespace NAMESPACE          default: that of the kubeconfig's current context
  --kubeconfig FILE                  default: KUBECONFIG, else ~/.kube/config`;

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

interface ClusterFlags {
  readonly kubeconfig?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Who writes; GitOps tools take back what `kubectl` changed, and leave what others did. */
const fieldManager = "strata";

/** Connects, does the work and disconnects. @throws InvalidSpec for an unusable kubeconfig; what the work throws */
export async function withCluster<T>(
  flags: ClusterFlags,
  io: CommandIO,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const kubeconfig = flags.kubeconfig ?? io.environment.kubeconfig;
  const connection = await connectKube({
    ...kubeDefaults,
    kubeconfig,
    inCluster: { server: "", directory: "" },
    qps: 0,
    burst: 0,
    userAgent: "strata",
  });
  try {
    return await work({ client: connection.client, namespace: flags.namespace ?? connection.namespace });
  } finally {
    await connection.close();
  }
}

/** The arguments of a command that takes one name. @throws UsageError */
export function parseNamed<O extends NonNullable<Parameters<typeof parseArgs>[0]>["options"]>(
  command: string,
  args: readonly string[],
  options: O,
) {
  const parsed = parseArgs({ args: [...args], options: options ?? {}, allowPositionals: true });
  const [name] = parsed.positionals;
  if (name === undefined || parsed.positionals.length > 1) throw new UsageError(`strata ${command} takes one name`);
  return { name, values: parsed.values as ReturnType<typeof parseArgs<{ options: NonNullable<O> }>>["values"] };
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
