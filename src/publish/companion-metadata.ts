import { CARRIED_ANNOTATION } from "../../api/v1beta1/constants.ts";
import { MANAGED_BY_LABEL, type CommonMetadata } from "../../api/v1beta1/common-metadata.ts";
import type { ObjectMeta } from "../kube/client.ts";
import { parseJsonObject, type Json } from "../text/json.ts";

type Entries = Readonly<Record<string, string>>;

/** Labels and annotations that a companion is to have besides its own. */
export interface Carried {
  readonly labels: Entries;
  readonly annotations: Entries;
}

/** Membership in a set that is pruned as a whole: a companion is in none, although its owner is. */
const isMembership = (key: string): boolean => key.startsWith("applyset.kubernetes.io/");

/** The owner's labels, under those that the spec states; the spec's annotations alone. */
export function carriedFrom(
  labels: Entries = {},
  { labels: more = {}, annotations = {} }: CommonMetadata = {},
): Carried {
  const all = Object.entries({ ...labels, ...more });
  return {
    labels: Object.fromEntries(all.filter(([key]) => key !== MANAGED_BY_LABEL && !isMembership(key))),
    annotations,
  };
}

const fields = ["labels", "annotations"] as const;
type Field = (typeof fields)[number];
type Keys = Readonly<Record<Field, readonly string[]>>;

/**
 * The metadata to apply to a companion that is as `live` is now. Which keys are Strata's is noted in an annotation: those
 * that somebody else has set to the same value stay theirs, and stay when they are no longer carried.
 */
export function withCarried(own: ObjectMeta, carried: Carried, live: ObjectMeta | undefined): ObjectMeta {
  const noted = notedIn(live);
  const ours = (field: Field): string[] =>
    Object.entries(carried[field])
      .filter(([key, value]) => noted[field].includes(key) || live?.[field]?.[key] !== value)
      .map(([key]) => key)
      .toSorted();
  const keys: Keys = { labels: ours("labels"), annotations: ours("annotations") };
  const note: Entries =
    keys.labels.length + keys.annotations.length === 0 ? {} : { [CARRIED_ANNOTATION]: JSON.stringify(keys) };
  const annotations: Entries = { ...own.annotations, ...carried.annotations, ...note };
  return {
    ...own,
    labels: { ...carried.labels, ...own.labels },
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** What was carried once and is no longer, as a merge patch of the metadata; undefined where there is no such thing. */
export function outdatedMetadata(
  live: ObjectMeta,
  wanted: ObjectMeta,
  before: ObjectMeta = live,
): Partial<Record<Field, Readonly<Record<string, null>>>> | undefined {
  const noted = notedIn(before);
  const patches = fields.flatMap((field) => {
    const keys = [...noted[field], ...(field === "annotations" ? [CARRIED_ANNOTATION] : [])];
    const gone = keys.filter((key) => live[field]?.[key] !== undefined && wanted[field]?.[key] === undefined);
    return gone.length === 0 ? [] : [[field, Object.fromEntries(gone.map((key) => [key, null]))] as const];
  });
  return patches.length === 0 ? undefined : Object.fromEntries(patches);
}

/** Whether it has every label and annotation that is wanted. */
export function hasMetadata(live: ObjectMeta, wanted: ObjectMeta): boolean {
  return fields.every((field) =>
    Object.entries(wanted[field] ?? {}).every(([key, value]) => live[field]?.[key] === value),
  );
}

/** Anybody may have written the annotation: what it does not say well, it does not say. */
function notedIn(metadata: ObjectMeta | undefined): Keys {
  const note = noteOf(metadata?.annotations?.[CARRIED_ANNOTATION] ?? "{}");
  const keysOf = (field: Field): readonly string[] => {
    const keys = note[field];
    return Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
  };
  return { labels: keysOf("labels"), annotations: keysOf("annotations") };
}

function noteOf(text: string): Json {
  try {
    return parseJsonObject(text);
  } catch {
    return {};
  }
}
