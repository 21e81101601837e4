import type { KubeObject, ListOptions, WatchEvent } from "../client.ts";
import { parseLabelSelector } from "./label-selector.ts";
import type { Change } from "./memory-history.ts";
import type { StoredObject } from "./memory-object.ts";

/** Whether a list or a watch with these options shows an object. */
export function selection({ namespace, labelSelector }: ListOptions): (object: StoredObject) => boolean {
  const matches = parseLabelSelector(labelSelector ?? "");
  return ({ metadata }) =>
    (namespace === undefined || metadata.namespace === namespace) && matches(metadata.labels ?? {});
}

/** The object as a list or a watch with these options shows it. */
export function shown(object: KubeObject, { metadataOnly }: ListOptions): KubeObject {
  const { apiVersion, kind, metadata } = object;
  return metadataOnly === true ? { apiVersion, kind, metadata } : object;
}

/** What a change is to a watch: an object whose labels no longer match is gone for it. */
export function eventOf(
  { before, after }: Change,
  isSelected: (object: StoredObject) => boolean,
): WatchEvent<StoredObject> | undefined {
  const was = before !== undefined && isSelected(before);
  const is = after !== undefined && isSelected(after);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object: after };
  return was ? { type: "DELETED", object: after ?? before } : undefined;
}
