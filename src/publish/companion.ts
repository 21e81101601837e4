import type { ResourceType } from "../../api/kinds.ts";
import type { OwnerReference } from "../../api/flux/source.ts";
import { API_VERSION, GROUP, KIND } from "../../api/v1beta1/constants.ts";
import { MANAGED_BY_LABEL } from "../../api/v1beta1/common-metadata.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { KubeClient, KubeObject, ObjectKey, ObjectMeta } from "../kube/client.ts";
import { carriedFrom, hasMetadata, outdatedMetadata, withCarried, type Carried } from "./companion-metadata.ts";

/** The ArtifactRepository that an object of the same name is kept for. */
export interface CompanionOwner extends ObjectKey {
  readonly uid: string;
}

/** Which object it is, and how one tells that it is somebody else's. */
export interface CompanionIdentity<T extends KubeObject> {
  readonly client: Pick<KubeClient, "get" | "create" | "apply" | "patch" | "delete">;
  readonly type: ResourceType;
  readonly owner: CompanionOwner;
  /** What the object says it comes from, where that is not an ArtifactRepository. */
  readonly foreignSource?: (object: T) => string | undefined;
}

/** An object of another kind that an ArtifactRepository controls: same namespace, same name. */
export interface Companion<T extends KubeObject> extends CompanionIdentity<T> {
  readonly fieldManager: string;
  /** As a cache has it, which may be old; null where the cache has none. Undefined: the API server is asked. */
  readonly current?: T | null | undefined;
  /** What it is to be, without status. */
  readonly desired: T;
  /** Labels and annotations to have besides. */
  readonly carried?: Carried | undefined;
  readonly hasDesiredSpec: (object: T) => boolean;
  /** What is in the spec but must not be, as a merge patch; undefined where there is no such thing. */
  readonly excess?: (object: T) => object | undefined;
  /** For CrdMissing: what brings the kind, such as "Flux 2.7 or later". */
  readonly shippedWith: string;
}

/** `leftover`: made for an ArtifactRepository of this name that is gone. */
type Standing = "ours" | "leftover" | "foreign";

/** The metadata that every companion has: its owner's name, and its owner as owner. */
export function companionMetadata(owner: CompanionOwner, fieldManager: string): ObjectMeta {
  const { name, namespace } = owner;
  return { name, namespace, labels: { [MANAGED_BY_LABEL]: fieldManager }, ownerReferences: [referenceTo(owner)] };
}

/**
 * Makes the companion what it is to be, and returns it as it is then. Nothing is written where `current` is that already.
 * One that somebody else owns is never touched. One that was left behind by an ArtifactRepository of the same name and
 * another uid is never taken over: Kubernetes is about to delete it, so it is deleted, and made anew.
 *
 * @throws NotOwned; CrdMissing; KubeConflict where it is changed or deleted at the same time; other Kube… errors
 */
export async function place<T extends KubeObject>(companion: Companion<T>, signal: AbortSignal): Promise<T> {
  try {
    return (await placeKnown(companion, signal)) ?? (await placeLive(companion, signal));
  } catch (error) {
    if (codeOf(error) === "CrdMissing") throw crdMissing(companion, error);
    throw error;
  }
}

/** Deletes the companion where it is ours. */
export async function withdraw<T extends KubeObject>(
  identity: CompanionIdentity<T>,
  signal: AbortSignal,
): Promise<void> {
  const { client, type, owner } = identity;
  try {
    const live = await client.get<T>(type, owner, signal);
    if (live === undefined || standingOf(identity, live) !== "ours") return;
    await client.delete(type, owner, { uid: live.metadata.uid }, signal);
  } catch (error) {
    // Without the kind there is nothing of it.
    if (codeOf(error) !== "CrdMissing") throw error;
  }
}

/** Trusts the cache as far as the API server checks it: a create fails where something is there, an apply where it has another uid. */
async function placeKnown<T extends KubeObject>(companion: Companion<T>, signal: AbortSignal): Promise<T | undefined> {
  const { current } = companion;
  if (current === undefined) return undefined;
  if (current !== null && (isGoing(current) || standingOf(companion, current) !== "ours")) return undefined;
  try {
    return current === null ? await create(companion, signal) : await correct(companion, current, signal);
  } catch (error) {
    // Where the object is another, it is rejected: a uid cannot change, and there is one controller at most.
    if (["KubeConflict", "KubeRejected"].includes(codeOf(error))) return undefined;
    throw error;
  }
}

async function placeLive<T extends KubeObject>(companion: Companion<T>, signal: AbortSignal): Promise<T> {
  const { client, type, owner } = companion;
  const live = await client.get<T>(type, owner, signal);
  if (live === undefined) return await create(companion, signal);
  const standing = standingOf(companion, live);
  if (standing === "foreign") throw notOwned(companion, live);
  if (isGoing(live))
    throw new CodedError(
      "KubeConflict",
      `${nameOf(companion)} is still being deleted; it is made again once it is gone`,
    );
  if (standing === "ours") return await correct(companion, live, signal);
  const { uid, resourceVersion } = live.metadata;
  await client.delete(type, owner, { uid, resourceVersion }, signal);
  return await create(companion, signal);
}

/** No apply: it would take over what somebody else makes at this moment. */
async function create<T extends KubeObject>(companion: Companion<T>, signal: AbortSignal): Promise<T> {
  const { client, type, desired } = companion;
  return await client.create(type, { ...desired, metadata: wantedMetadata(companion, undefined) }, signal);
}

async function correct<T extends KubeObject>(companion: Companion<T>, object: T, signal: AbortSignal): Promise<T> {
  if (isAsDesired(companion, object)) return object;
  const { client, type, desired, fieldManager } = companion;
  const { uid } = object.metadata;
  const metadata = wantedMetadata(companion, object.metadata);
  const applied = await client.apply<T>(
    type,
    { ...desired, metadata: { ...metadata, ...(uid !== undefined && { uid }) } },
    { fieldManager, force: true },
    signal,
  );
  // An apply removes only what was applied before, not what was created, or added by hand.
  const excess = companion.excess?.(applied);
  const outdated = outdatedMetadata(applied.metadata, metadata, object.metadata);
  if (excess === undefined && outdated === undefined) return applied;
  const patch = { metadata: { uid, ...outdated }, ...(excess !== undefined && { spec: excess }) };
  return await client.patch<T>(type, companion.owner, patch, { fieldManager }, signal);
}

function wantedMetadata<T extends KubeObject>(
  { desired, carried = carriedFrom() }: Companion<T>,
  live: ObjectMeta | undefined,
): ObjectMeta {
  return withCarried(desired.metadata, carried, live);
}

function isAsDesired<T extends KubeObject>(companion: Companion<T>, object: T): boolean {
  const { owner, hasDesiredSpec } = companion;
  const wanted = wantedMetadata(companion, object.metadata);
  const isReferred = (object.metadata.ownerReferences ?? []).some((reference) =>
    isSameReference(reference, referenceTo(owner)),
  );
  const isUpToDate = hasMetadata(object.metadata, wanted) && outdatedMetadata(object.metadata, wanted) === undefined;
  return isUpToDate && isReferred && hasDesiredSpec(object);
}

function standingOf<T extends KubeObject>({ owner, foreignSource }: CompanionIdentity<T>, object: T): Standing {
  const references = object.metadata.ownerReferences ?? [];
  if (foreignSource?.(object) !== undefined) return "foreign";
  const isOthers = references.some(({ controller, uid }) => controller === true && uid !== owner.uid);
  if (references.some(({ uid }) => uid === owner.uid) && !isOthers) return "ours";
  // Names are unique: where they name the owner with another uid, they name one that is gone.
  const isStale =
    references.length > 0 &&
    references.every((reference) => namesOwner(reference, owner) && reference.uid !== owner.uid);
  return isStale && isOthers ? "leftover" : "foreign";
}

function referenceTo({ name, uid }: CompanionOwner): OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid, controller: true, blockOwnerDeletion: true };
}

function isSameReference(a: OwnerReference, b: OwnerReference): boolean {
  return (
    a.uid === b.uid &&
    a.name === b.name &&
    a.kind === b.kind &&
    a.apiVersion === b.apiVersion &&
    a.controller === b.controller &&
    a.blockOwnerDeletion === b.blockOwnerDeletion
  );
}

function namesOwner({ apiVersion, kind, name }: OwnerReference, owner: CompanionOwner): boolean {
  return isArtifactRepository({ apiVersion, kind }) && name === owner.name;
}

/** Whether an owner is an ArtifactRepository, in any version of the API. */
export function isArtifactRepository({
  apiVersion,
  kind,
}: {
  readonly apiVersion?: string;
  readonly kind: string;
}): boolean {
  return kind === KIND && (apiVersion === undefined || apiVersion.startsWith(`${GROUP}/`));
}

function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function nameOf({ type, owner }: Pick<CompanionIdentity<KubeObject>, "type" | "owner">): string {
  return `${type.kind} ${owner.namespace}/${owner.name}`;
}

function notOwned<T extends KubeObject>(companion: Companion<T>, object: T): CodedError {
  const message = `${nameOf(companion)} exists already, and ${holderOf(companion, object)}; it is not touched: delete it or give it another name, or rename this ArtifactRepository`;
  return new CodedError("NotOwned", message);
}

function holderOf<T extends KubeObject>({ owner, foreignSource }: CompanionIdentity<T>, object: T): string {
  const others = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.uid);
  const holder = others.find(({ controller }) => controller === true) ?? others[0];
  if (holder !== undefined) return `belongs to ${holder.kind} ${holder.name}`;
  const source = foreignSource?.(object);
  if (source !== undefined) return `comes from ${source}`;
  const manager = object.metadata.labels?.[MANAGED_BY_LABEL];
  return manager === undefined ? "has no owner" : `is managed by ${manager}`;
}

function crdMissing<T extends KubeObject>({ type, shippedWith }: Companion<T>, cause: unknown): CodedError {
  const message = `the cluster has no ${type.kind} (CRD ${type.plural}.${type.group}, version ${type.version}): install ${shippedWith}, or publish in another way with spec.publish`;
  return new CodedError("CrdMissing", message, { cause });
}
