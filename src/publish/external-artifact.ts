import { externalArtifacts } from "../../api/kinds.ts";
import { isDeepStrictEqual } from "node:util";
import {
  SOURCE_API_VERSION,
  type ExportedInputs,
  type ExternalArtifact,
  type FluxArtifact,
} from "../../api/flux/source.ts";
import { ConditionType, Reason } from "../../api/v1beta1/conditions.ts";
import { API_VERSION, KIND, RECONCILE_REQUEST_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { Condition, PublishedStatus } from "../../api/v1beta1/status.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { ObjectMeta } from "../kube/client.ts";
import { setCondition, type ConditionDraft } from "../kube/conditions.ts";
import {
  companionMetadata,
  isArtifactRepository,
  place,
  withdraw,
  type Companion,
  type CompanionIdentity,
} from "./companion.ts";
import { carriedFrom, hasMetadata, outdatedMetadata, withCarried, type Carried } from "./companion-metadata.ts";
import type { Identified } from "../pipeline/object.ts";
import type { Artifact } from "../store/store.ts";

export type ExternalArtifactIdentity = Pick<CompanionIdentity<ExternalArtifact>, "client" | "owner">;

export interface ExternalArtifactRequest extends ExternalArtifactIdentity {
  readonly artifact: Artifact;
  /** For ResourceSets; undefined where the kind on the server has no such field. */
  readonly exportedInputs?: ExportedInputs | undefined;
  /** What the owner says of the source's signature; nothing where it asks for none. */
  readonly sourceVerified?: ConditionDraft | undefined;
  readonly fieldManager: string;
  readonly carried?: Carried | undefined;
  /** As a cache has it, which may be old; null where the cache has none. Undefined: the API server is asked. */
  readonly current?: ExternalArtifact | null | undefined;
  readonly now: Date;
}

/**
 * The ExternalArtifact of RFC-0012, of the owner's name: Flux's consumers download what its status says, and act when
 * `status.artifact.revision` changes. Nothing is written where it says so already.
 *
 * @throws NotOwned where one of this name is somebody else's, CrdMissing, KubeConflict and other Kube… errors
 */
export async function publishExternalArtifact(
  request: ExternalArtifactRequest,
  signal: AbortSignal,
): Promise<PublishedStatus> {
  try {
    await writeStatus(request, await place(companionOf(request), signal), signal);
  } catch (error) {
    if (request.current === undefined || codeOf(error) !== "KubeConflict") throw error;
    // The cache is old.
    return await publishExternalArtifact({ ...request, current: undefined }, signal);
  }
  return { kind: "ExternalArtifact", name: request.owner.name, digest: request.artifact.digest };
}

/** Deletes it where it is the owner's. @throws Kube… errors */
export async function withdrawExternalArtifact(identity: ExternalArtifactIdentity, signal: AbortSignal): Promise<void> {
  await withdraw({ ...identity, type: externalArtifacts, foreignSource }, signal);
}

export interface Retraction extends ExternalArtifactIdentity {
  readonly message: string;
  readonly fieldManager: string;
  readonly now: Date;
}

/** Takes the artifact out of its status, where it is the owner's: the file that it names is not there. @throws Kube… errors */
export async function retractArtifact(
  { client, owner, message, fieldManager, now }: Retraction,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace, uid } = owner;
  const live = await readOwn(client, owner, uid, signal);
  if (live?.status?.artifact === undefined) return;
  const ready: ConditionDraft = { type: ConditionType.Ready, status: "Unknown", reason: Reason.Progressing, message };
  const before = (live.status.conditions ?? []).filter(({ type }) => type === ConditionType.Ready);
  const conditions = setCondition(before, ready, { generation: live.metadata.generation, now });
  await client.patch(
    externalArtifacts,
    { name, namespace },
    {
      metadata: { resourceVersion: live.metadata.resourceVersion },
      status: { artifact: null, exportedInputs: null, conditions },
    },
    { fieldManager, subresource: "status" },
    signal,
  );
}

async function readOwn(
  client: ExternalArtifactIdentity["client"],
  owner: ExternalArtifactIdentity["owner"],
  uid: string,
  signal: AbortSignal,
): Promise<ExternalArtifact | undefined> {
  try {
    const live = await client.get<ExternalArtifact>(externalArtifacts, owner, signal);
    return live !== undefined && isOwnedBy(uid, live) ? live : undefined;
  } catch (error) {
    if (codeOf(error) !== "CrdMissing") throw error;
    return undefined;
  }
}

/** What a Flux Receiver or `kubectl annotate` has asked of the ExternalArtifact: its owner is to be reconciled now. */
export function readRequestedAt({
  metadata,
}: {
  readonly metadata: Pick<ObjectMeta, "annotations">;
}): string | undefined {
  return metadata.annotations?.[RECONCILE_REQUEST_ANNOTATION];
}

/** The same, where the ExternalArtifact is that of the owner with this uid. */
export function requestFor(uid: string, artifact: ExternalArtifact): string | undefined {
  return isOwnedBy(uid, artifact) ? readRequestedAt(artifact) : undefined;
}

/** Whether it is the owner's, sends consumers to that artifact, and carries the owner's metadata and no older one. */
export function announces(
  { metadata, status }: ExternalArtifact,
  { uid, object }: Pick<Identified, "uid" | "object">,
  artifact: Artifact,
): boolean {
  const carried = carriedFrom(object.metadata.labels, object.spec.publish?.commonMetadata);
  const { name, namespace } = metadata;
  const wanted = withCarried({ name, namespace }, carried, metadata);
  return (
    isOwnedBy(uid, { metadata } as ExternalArtifact) &&
    isDeepStrictEqual(status?.artifact, artifactOf(artifact)) &&
    hasMetadata(metadata, wanted) &&
    outdatedMetadata(metadata, wanted) === undefined
  );
}

function isOwnedBy(uid: string, { metadata }: ExternalArtifact): boolean {
  return metadata.ownerReferences?.some((reference) => reference.uid === uid) === true;
}

function companionOf({
  client,
  owner,
  fieldManager,
  carried,
  current,
}: ExternalArtifactRequest): Companion<ExternalArtifact> {
  const { name, namespace } = owner;
  const sourceRef = { apiVersion: API_VERSION, kind: KIND, name, namespace };
  return {
    client,
    owner,
    fieldManager,
    carried,
    current,
    foreignSource,
    type: externalArtifacts,
    desired: {
      apiVersion: SOURCE_API_VERSION,
      kind: "ExternalArtifact",
      metadata: companionMetadata(owner, fieldManager),
      spec: { sourceRef },
    },
    hasDesiredSpec: (object) => isDeepStrictEqual(sourceRefOf(object), sourceRef),
    shippedWith: "Flux 2.7 or later",
  };
}

/** Neither the spec nor the reference in it is required. */
function sourceRefOf({ spec }: Partial<ExternalArtifact>): ExternalArtifact["spec"]["sourceRef"] | undefined {
  return spec?.sourceRef;
}

function foreignSource(object: ExternalArtifact): string | undefined {
  const source = sourceRefOf(object);
  return source === undefined || isArtifactRepository(source) ? undefined : `${source.kind} ${source.name}`;
}

async function writeStatus(
  request: ExternalArtifactRequest,
  object: ExternalArtifact,
  signal: AbortSignal,
): Promise<void> {
  const { client, owner, fieldManager } = request;
  const { exportedInputs } = request;
  const status = {
    artifact: artifactOf(request.artifact),
    conditions: conditionsOf(request, object),
    ...(exportedInputs && { exportedInputs }),
  };
  const { artifact, conditions, exportedInputs: exported } = object.status ?? {};
  const before = { artifact, conditions, ...(exported && exportedInputs && { exportedInputs: exported }) };
  if (isDeepStrictEqual(status, before)) return;
  const { name, namespace } = owner;
  const { resourceVersion } = object.metadata;
  try {
    // The API server compares no uid where only the status is written.
    const metadata = { name, namespace, ...(resourceVersion !== undefined && { resourceVersion }) };
    const applied = { apiVersion: SOURCE_API_VERSION, kind: "ExternalArtifact", metadata, status };
    await client.apply(externalArtifacts, applied, { fieldManager, subresource: "status", force: true }, signal);
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
    throw new CodedError("KubeConflict", `ExternalArtifact ${namespace}/${name} was deleted meanwhile`, {
      cause: error,
    });
  }
}

function artifactOf({ path, url, revision, digest, size, lastUpdateTime, metadata }: Artifact): FluxArtifact {
  return { path, url, revision, digest, size, lastUpdateTime, ...(metadata && { metadata }) };
}

function conditionsOf(
  { sourceVerified, now }: ExternalArtifactRequest,
  { metadata, status }: ExternalArtifact,
): readonly Condition[] {
  const ready: ConditionDraft = {
    type: ConditionType.Ready,
    status: "True",
    reason: Reason.Succeeded,
    message: "Artifact is ready",
  };
  const drafts =
    sourceVerified === undefined ? [ready] : [ready, { ...sourceVerified, type: ConditionType.SourceVerified }];
  // Those that are there lend their times.
  const before = (status?.conditions ?? []).filter(({ type }) => drafts.some((draft) => draft.type === type));
  return drafts.reduce<readonly Condition[]>(
    (conditions, draft) => setCondition(conditions, draft, { generation: metadata.generation, now }),
    before,
  );
}
