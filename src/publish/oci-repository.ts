import { ociRepositories } from "../../api/kinds.ts";
import { isDeepStrictEqual } from "node:util";
import { SOURCE_API_VERSION, type OciRepository } from "../../api/flux/source.ts";
import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { CodedError } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import { companionMetadata, place, withdraw, type CompanionIdentity } from "./companion.ts";
import type { Carried } from "./companion-metadata.ts";
import type { SingleLayerImage } from "../store/store.ts";

/** Where source-controller pulls from, and as whom. */
export type PullSource = Pick<
  OciRepository["spec"],
  "url" | "provider" | "secretRef" | "serviceAccountName" | "certSecretRef" | "proxySecretRef" | "insecure"
>;

/** The controller's own read-only registry. */
export interface EmbeddedEndpoint {
  /** `host:port`, as other controllers reach it. */
  readonly address: string;
  /** Whether it speaks plain HTTP. */
  readonly insecure: boolean;
}

export type OciRepositoryIdentity = Pick<CompanionIdentity<OciRepository>, "client" | "owner">;

export interface OciRepositoryRequest extends OciRepositoryIdentity {
  readonly source: PullSource;
  /** What is to be pulled. It must be there already. */
  readonly image: Pick<SingleLayerImage, "descriptor" | "layer">;
  /** Go durations. */
  readonly interval: string;
  readonly timeout: string;
  readonly fieldManager: string;
  readonly carried?: Carried | undefined;
  /** As a cache has it, which may be old; null where the cache has none. Undefined: the API server is asked. */
  readonly current?: OciRepository | null | undefined;
}

/**
 * An OCIRepository of the owner's name that reads the published artifact, for consumers that know no ExternalArtifact. It
 * changes only when the content, its place, the interval or the timeout does.
 *
 * What source-controller then does: it pulls the manifest by its digest, so a moved tag changes nothing, and its
 * `status.artifact.revision` is that digest alone. It takes the one layer by its media type and stores its bytes as they are
 * (`operation: copy`): its artifact has the digest of ours. Extracting would archive the content anew, without what Flux
 * excludes by default and a .sourceignore in it names, although `spec.ignore` has decided that. The interval only makes it look
 * whether its own file is still there. Secrets and service account are those that push; a service account with a cloud provider needs
 * its feature gate ObjectLevelWorkloadIdentity.
 *
 * @throws NotOwned where one of this name is somebody else's, CrdMissing, KubeConflict and other Kube… errors
 */
export async function publishOciRepository(
  request: OciRepositoryRequest,
  signal: AbortSignal,
): Promise<PublishedStatus> {
  const { client, owner, fieldManager, carried, current, source, image } = request;
  const spec = specOf(request);
  await place<OciRepository>(
    {
      client,
      owner,
      fieldManager,
      carried,
      current,
      type: ociRepositories,
      desired: {
        apiVersion: SOURCE_API_VERSION,
        kind: "OCIRepository",
        metadata: companionMetadata(owner, fieldManager),
        spec,
      },
      hasDesiredSpec: (object) => stated.every((field) => isDeepStrictEqual(object.spec[field], spec[field])),
      excess: (object) => excessOf(Object.fromEntries(stated.map((field) => [field, object.spec[field]])), { ...spec }),
      shippedWith: "Flux 2.6 or later",
    },
    signal,
  );
  return { kind: "OCIRepository", name: owner.name, url: source.url, digest: image.descriptor.digest };
}

/** Deletes it where it is the owner's. @throws Kube… errors */
export async function withdrawOciRepository(identity: OciRepositoryIdentity, signal: AbortSignal): Promise<void> {
  await withdraw({ ...identity, type: ociRepositories }, signal);
}

/** The push target, else the embedded endpoint. @throws PublishFailed where there is neither */
export function pullSource(
  { namespace, name }: ObjectKey,
  target: PublishOci | undefined,
  endpoint: EmbeddedEndpoint | undefined,
): PullSource {
  if (target !== undefined) {
    const { url, provider, secretRef, serviceAccountName, certSecretRef, proxySecretRef, insecure } = target;
    return {
      url,
      provider,
      ...(secretRef && { secretRef }),
      ...(serviceAccountName && { serviceAccountName }),
      ...(certSecretRef && { certSecretRef }),
      ...(proxySecretRef && { proxySecretRef }),
      ...(insecure === true && { insecure }),
    };
  }
  if (endpoint === undefined) {
    throw new CodedError(
      "PublishFailed",
      "there is no registry that an OCIRepository could read: write publish.oci, or start the controller with --oci-endpoint-addr",
    );
  }
  return {
    url: `oci://${endpoint.address}/${namespace}/${name}`,
    provider: "generic",
    ...(endpoint.insecure && { insecure: true }),
  };
}

function specOf({ source, image, interval, timeout }: OciRepositoryRequest): OciRepository["spec"] {
  return {
    ...source,
    interval,
    timeout,
    ref: { digest: image.descriptor.digest },
    layerSelector: { mediaType: image.layer.mediaType, operation: "copy" },
  };
}

/** The fields that are ours; `suspend`, `verify` and the like are left to others. */
const stated = [
  "url",
  "interval",
  "timeout",
  "ref",
  "provider",
  "secretRef",
  "serviceAccountName",
  "certSecretRef",
  "proxySecretRef",
  "insecure",
  "layerSelector",
] as const satisfies readonly (keyof OciRepository["spec"])[];

/** A merge patch that removes what `actual` has beyond `wanted`. */
function excessOf(actual: Fields, wanted: Fields): Fields | undefined {
  const excess: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(actual)) {
    if (value === undefined) continue;
    const wish = wanted[name];
    const inner = wish === undefined ? null : isFields(value) && isFields(wish) ? excessOf(value, wish) : undefined;
    if (inner !== undefined) excess[name] = inner;
  }
  return Object.keys(excess).length === 0 ? undefined : excess;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
