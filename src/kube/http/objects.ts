import type { ResourceType } from "../../../api/kinds.ts";
import { CodedError } from "../../errors.ts";
import type { KubeObject, ListOptions, ObjectKey, ObjectMeta } from "../client.ts";

/** The path of all objects of a type, or of those in a namespace. */
export function collectionPath({ group, version, plural }: ResourceType, namespace?: string): string {
  const api = group === "" ? `/api/${segment(version)}` : `/apis/${segment(group)}/${segment(version)}`;
  return namespace === undefined
    ? `${api}/${segment(plural)}`
    : `${api}/namespaces/${segment(namespace)}/${segment(plural)}`;
}

export function objectPath(type: ResourceType, { namespace, name }: ObjectKey, subresource?: string): string {
  const path = `${collectionPath(type, namespace)}/${segment(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** @throws KubeRejected for what would make the path that of something else: an empty name is the whole collection */
function segment(text: string): string {
  if (text === "" || text === "." || text === "..")
    throw new CodedError("KubeRejected", `"${text}" is not the name of a Kubernetes object`);
  return encodeURIComponent(text);
}

export const nameOf = ({ kind }: ResourceType, { namespace, name }: ObjectKey): string =>
  `${kind} ${namespace}/${name}`;
export const typeNameOf = ({ plural, group }: ResourceType): string => (group === "" ? plural : `${plural}.${group}`);

/** Asks for PartialObjectMetadata; servers that do not know it answer with whole objects, whose rest is dropped on arrival. */
export function acceptFor(
  { metadataOnly }: ListOptions,
  kind: "PartialObjectMetadata" | "PartialObjectMetadataList",
): string {
  return metadataOnly === true ? `application/json;as=${kind};g=meta.k8s.io;v1,application/json` : "application/json";
}

/**
 * An object as it came, made uniform: items of lists lack apiVersion and kind, PartialObjectMetadata has those of its own, and
 * `managedFields`, often the larger half, is of no use here.
 */
export function received(call: string, type: ResourceType, raw: unknown, metadataOnly = false): KubeObject {
  const object = raw as Partial<KubeObject> | null;
  if (typeof object !== "object" || typeof object?.metadata !== "object")
    throw new CodedError("KubeUnreachable", `${call}: the answer is not a Kubernetes object`);
  const { managedFields: _, ...metadata } = object.metadata as ObjectMeta & { managedFields?: unknown };
  const head = {
    apiVersion: type.group === "" ? type.version : `${type.group}/${type.version}`,
    kind: type.kind,
    metadata,
  };
  return metadataOnly ? head : { ...object, ...head };
}
