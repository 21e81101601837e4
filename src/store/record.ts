import { isDigest } from "../oci/digest.ts";
import type { Annotations, Digest } from "../oci/types.ts";
import { isObject, parseJson } from "../text/json.ts";
import type { Made } from "./store.ts";

/** One published artifact, as the storage remembers it. */
export interface ArtifactRecord {
  readonly digest: Digest;
  readonly size: number;
  readonly contentDigest: Digest;
  readonly revision: string;
  readonly metadata: Annotations;
  /** RFC 3339. */
  readonly lastUpdateTime: string;
  readonly image: RecordedImage;
  /** Records of earlier versions, and what was brought back from a push target, do not say. */
  readonly made?: Made;
}

/** What the OCI manifest is made of; stays the same while the content does. */
export interface RecordedImage {
  readonly layerMediaType: string;
  readonly layerTitle: string;
  readonly annotations: Annotations;
  /** `content` is base64; without it: Flux's config. */
  readonly config?: { readonly mediaType: string; readonly content: string };
}

export interface SupersededRecord extends ArtifactRecord {
  /** RFC 3339. */
  readonly supersededAt: string;
}

/** What `state.json` holds: one for each owner, replaced as a whole. */
export interface OwnerState {
  readonly version: 1;
  /** The uid of the object that it belongs to: a later one of the same name has another. States of earlier versions do not say. */
  readonly uid?: string;
  readonly current: ArtifactRecord;
  /** Newest first. */
  readonly superseded: readonly SupersededRecord[];
}

export const stateFile = "state.json";

/** The state as it stands in its file, which `parseState` reads. */
export function formatState(state: OwnerState): string {
  return `${JSON.stringify(state)}\n`;
}

/** The state in `text`; undefined where it is not one (then nothing counts as stored, and is built anew). */
export function parseState(text: string): OwnerState | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || value["version"] !== 1 || !isRecord(value["current"]) || !Array.isArray(value["superseded"]))
    return undefined;
  if (value["uid"] !== undefined && typeof value["uid"] !== "string") return undefined;
  return value["superseded"].every(
    (record) => isRecord(record) && isTime((record as Partial<SupersededRecord>).supersededAt),
  )
    ? (value as unknown as OwnerState)
    : undefined;
}

function isRecord(value: unknown): value is ArtifactRecord {
  if (!isObject(value)) return false;
  const { digest, contentDigest, size, revision } = value;
  const digests = [digest, contentDigest].every((text) => typeof text === "string" && isDigest(text));
  const numbers = typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
  return (
    digests &&
    numbers &&
    typeof revision === "string" &&
    isTime(value["lastUpdateTime"]) &&
    isTexts(value["metadata"]) &&
    isImage(value["image"]) &&
    isMade(value["made"])
  );
}

function isMade(value: unknown): boolean {
  if (!isObject(value) || !isObject(value["skipped"])) return value === undefined;
  const { recipe, verbatim, operation, leftOut = [] } = value;
  const { symlinks, special, ignored } = value["skipped"];
  const isDone = operation === undefined || operation === "Copy";
  return (
    isDone &&
    typeof recipe === "string" &&
    typeof verbatim === "boolean" &&
    [symlinks, special, ignored].every(Number.isSafeInteger) &&
    Array.isArray(leftOut) &&
    isTexts(Object.fromEntries(leftOut.entries()))
  );
}

function isImage(value: unknown): boolean {
  if (
    !isObject(value) ||
    !isTexts({ a: value["layerMediaType"], b: value["layerTitle"] }) ||
    !isTexts(value["annotations"])
  )
    return false;
  const config = value["config"];
  return (
    config === undefined ||
    (isObject(config) && typeof config["mediaType"] === "string" && typeof config["content"] === "string")
  );
}

const isTime = (value: unknown): boolean => typeof value === "string" && !Number.isNaN(Date.parse(value));
const isTexts = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((text) => typeof text === "string");
