import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { ResourceType } from "../../../api/kinds.ts";
import { CodedError } from "../../errors.ts";
import type { DeleteOptions, KubeObject, ObjectKey, ObjectMeta } from "../client.ts";

export type StoredObject = KubeObject & { readonly status?: unknown };

/** `externalartifacts.source.toolkit.fluxcd.io`; the core group has no suffix. */
export function typeNameOf({ plural, group }: ResourceType): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/** Custom resources have a generation and a status subresource; the built-in kinds in use have neither. */
export function isCustom({ group }: ResourceType): boolean {
  return group.includes(".") && !group.endsWith(".k8s.io");
}

/** As it would come out of a request's body: without undefined fields, and nobody else's. */
export function toJson(object: object): StoredObject {
  return JSON.parse(JSON.stringify(object)) as StoredObject;
}

export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

export function notFound(type: ResourceType, { namespace, name }: ObjectKey): CodedError {
  return new CodedError("NotFound", `there is no ${type.kind} ${namespace}/${name}`);
}

export function conflict(type: ResourceType, { namespace, name }: ObjectKey, why: string): CodedError {
  return new CodedError("KubeConflict", `${type.kind} ${namespace}/${name}: ${why}`);
}

export function rejected(type: ResourceType, { namespace, name }: ObjectKey, why: string): CodedError {
  return new CodedError("KubeRejected", `${type.kind} ${namespace}/${name}: ${why}`);
}

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** @throws KubeRejected for what no API server takes */
export function checkObject(type: ResourceType, { apiVersion, kind, metadata }: KubeObject): void {
  const expected = type.group === "" ? type.version : `${type.group}/${type.version}`;
  if (apiVersion !== expected || kind !== type.kind)
    throw rejected(type, metadata, `it is ${apiVersion} ${kind}, not ${expected} ${type.kind}`);
  if (metadata.name.length > 253 || !subdomain.test(metadata.name)) {
    throw rejected(
      type,
      metadata,
      "metadata.name must consist of lower-case letters, digits, '-' and '.', at most 253 of them",
    );
  }
  if (!label.test(metadata.namespace))
    throw rejected(
      type,
      metadata,
      "metadata.namespace must consist of lower-case letters, digits and '-', at most 63 of them",
    );
}

/** @throws KubeConflict, KubeRejected where `after` may not follow `before` */
export function checkUpdate(type: ResourceType, before: StoredObject, after: StoredObject): void {
  const { name, namespace, uid, resourceVersion, finalizers = [] } = after.metadata;
  if (name !== before.metadata.name || namespace !== before.metadata.namespace)
    throw rejected(type, before.metadata, "name and namespace cannot change");
  checkPreconditions(type, before, { resourceVersion });
  if (uid !== undefined && uid !== before.metadata.uid)
    throw rejected(type, before.metadata, `metadata.uid is ${before.metadata.uid} and cannot change`);
  const known = new Set(before.metadata.finalizers);
  if (before.metadata.deletionTimestamp !== undefined && finalizers.some((finalizer) => !known.has(finalizer))) {
    throw rejected(type, before.metadata, "no finalizer can be added while the object is being deleted");
  }
}

/** @throws KubeConflict where the object is not the very one that is meant */
export function checkPreconditions(
  type: ResourceType,
  { metadata }: StoredObject,
  { uid, resourceVersion }: DeleteOptions,
): void {
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(type, metadata, `its uid is ${metadata.uid}, not ${uid}`);
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      type,
      metadata,
      `it has been changed meanwhile (resource version ${metadata.resourceVersion}, not ${resourceVersion})`,
    );
  }
}

/** With the metadata that the server gives to a new object. */
export function newObject(
  type: ResourceType,
  stated: StoredObject,
  { creationTimestamp, uid = randomUUID() }: { creationTimestamp: string; uid?: string | undefined },
): StoredObject {
  const metadata = {
    ...stated.metadata,
    uid,
    creationTimestamp,
    deletionTimestamp: undefined,
    generation: isCustom(type) ? 1 : undefined,
  };
  return toJson({ ...stated, metadata });
}

/** `after` with the metadata that the server alone sets, and the generation counted up where the content has changed. */
export function withServerMetadata(
  before: StoredObject,
  after: StoredObject,
  deletionTimestamp?: string,
): StoredObject {
  const { uid, creationTimestamp, resourceVersion, generation } = before.metadata;
  const changed = deletionTimestamp !== undefined || !isDeepStrictEqual(contentOf(before), contentOf(after));
  const metadata = {
    ...after.metadata,
    uid,
    creationTimestamp,
    resourceVersion,
    generation: generation !== undefined && changed ? generation + 1 : generation,
    deletionTimestamp: before.metadata.deletionTimestamp ?? deletionTimestamp,
  };
  return toJson({ ...after, metadata });
}

function contentOf(object: StoredObject): object {
  return { ...object, metadata: undefined, status: undefined };
}

export function isGone({ deletionTimestamp, finalizers = [] }: ObjectMeta): boolean {
  return deletionTimestamp !== undefined && finalizers.length === 0;
}
