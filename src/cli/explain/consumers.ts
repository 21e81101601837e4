import type { ResourceType } from "../../../api/kinds.ts";
import { KIND } from "../../../api/v1beta1/constants.ts";
import type { Condition } from "../../../api/v1beta1/status.ts";
import { CodedError, codeOf } from "../../errors.ts";
import type { KubeClient, KubeObject, ObjectKey } from "../../kube/client.ts";
import { findCondition } from "../../kube/conditions.ts";
import { isObject, objectOf } from "../../text/json.ts";

/** The kinds of Flux that read artifacts. */
export const consumerKinds: readonly ResourceType[] = [
  { group: "kustomize.toolkit.fluxcd.io", version: "v1", plural: "kustomizations", kind: "Kustomization" },
  { group: "helm.toolkit.fluxcd.io", version: "v2", plural: "helmreleases", kind: "HelmRelease" },
  {
    group: "source.extensions.fluxcd.io",
    version: "v1beta1",
    plural: "artifactgenerators",
    kind: "ArtifactGenerator",
  },
];

/** An object that names what was published, or the ArtifactRepository itself, which nothing reads. */
export interface Consumer extends ObjectKey {
  readonly kind: string;
  /** Where it names it, such as `spec.sourceRef`. */
  readonly field: string;
  /** The kind that it names. */
  readonly names: string;
  readonly ready: Condition["status"];
  readonly message: string;
  /** What it has applied last. */
  readonly revision: string | undefined;
}

export interface Consumers {
  readonly items: readonly Consumer[];
  /** Sentences about what could not be read. */
  readonly problems: readonly string[];
}

type ConsumerObject = KubeObject & { readonly spec?: unknown; readonly status?: unknown };

/** Everything that names the companions of an object. Kinds that are missing or may not be read are told of. */
export async function findConsumers(client: KubeClient, key: ObjectKey, signal: AbortSignal): Promise<Consumers> {
  const found = await Promise.all(consumerKinds.map((type) => consumersOf(client, type, key, signal)));
  return { items: found.flatMap(({ items }) => items), problems: found.flatMap(({ problems }) => problems) };
}

async function consumersOf(
  client: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<Consumers> {
  const { objects, problems } = await readable(client, type, key.namespace, signal);
  const items = objects.flatMap(({ metadata, spec, status }) => {
    const { namespace, name } = metadata;
    const { ready, message, revision } = stateOf(status);
    return referencesTo(key, spec, namespace, "spec").map(({ field, names }): Consumer => {
      const { kind } = type;
      return { kind, namespace, name, field, names, ready, message, revision };
    });
  });
  return { items, problems };
}

/** The objects of every namespace where that is allowed, else of the object's own. */
async function readable(
  client: KubeClient,
  type: ResourceType,
  namespace: string,
  signal: AbortSignal,
): Promise<{ objects: readonly ConsumerObject[]; problems: readonly string[] }> {
  const problems: string[] = [];
  for (const where of [undefined, namespace]) {
    try {
      return { objects: (await client.list<ConsumerObject>(type, { namespace: where }, signal)).items, problems };
    } catch (error) {
      const code = codeOf(error);
      if (code === "CrdMissing") return { objects: [], problems: [`${type.kind} is not installed in this cluster`] };
      if (code !== "AccessDenied") throw error;
      problems.push(
        `${type.plural} of ${where === undefined ? "other namespaces" : `the namespace ${where}`} may not be read with these credentials`,
      );
    }
  }
  return { objects: [], problems };
}

const companions: ReadonlySet<unknown> = new Set(["ExternalArtifact", "OCIRepository", KIND]);

/** Where a spec names one of the companions, at any depth that a spec has. */
function referencesTo(
  key: ObjectKey,
  value: unknown,
  ownNamespace: string,
  field: string,
): { field: string; names: string }[] {
  if (Array.isArray(value))
    return value.flatMap((item, at) => referencesTo(key, item, ownNamespace, `${field}[${at}]`));
  if (!isObject(value)) return [];
  const { kind, name, namespace = ownNamespace } = value;
  const isMeant = typeof kind === "string" && companions.has(kind) && name === key.name;
  if (isMeant && namespace === key.namespace) return [{ field, names: kind }];
  return Object.entries(value).flatMap(([part, child]) => referencesTo(key, child, ownNamespace, `${field}.${part}`));
}

function stateOf(status: unknown): Pick<Consumer, "ready" | "message" | "revision"> {
  const { conditions, lastAppliedRevision, history } = objectOf(status);
  const ready = Array.isArray(conditions) ? findCondition(conditions as Condition[], "Ready") : undefined;
  const latest = Array.isArray(history) ? objectOf(history[0])["chartVersion"] : undefined;
  const revision = lastAppliedRevision ?? latest;
  return {
    ready: ready?.status ?? "Unknown",
    message: ready?.message ?? "",
    revision: typeof revision === "string" ? revision : undefined,
  };
}

/** A client that can only read: what explains asks for no other rights. */
export function readOnly(client: KubeClient): KubeClient {
  const refuse = (): never => {
    throw new CodedError("Internal", "strata explain only reads");
  };
  return {
    get: (type, key, signal) => client.get(type, key, signal),
    list: (type, options, signal) => client.list(type, options, signal),
    watch: (type, options, signal) => client.watch(type, options, signal),
    create: refuse,
    update: refuse,
    patch: refuse,
    apply: refuse,
    delete: refuse,
    requestToken: refuse,
  };
}
