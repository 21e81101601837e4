import { CodedError, messageOf } from "../errors.ts";
import { isObject, type Json, parseJsonObject } from "../text/json.ts";
import { isDigest, matchesDigest } from "./digest.ts";
import { isIndexType, isManifestType, ociIndexType, ociManifestType } from "./media-types.ts";
import type { Annotations, Descriptor, Index, Manifest, Platform } from "./types.ts";

/** A manifest may not make us hold more descriptors than this; real ones have at most some hundreds. */
const maxDescriptors = 10_000;

/**
 * Parses the bytes of a manifest or index whose digest was already checked. Strict: what is of the wrong shape is
 * refused, not repaired, and a body that could be read as both kinds (GHSA-qq97-vm5h-rrhg, CVE-2021-41190) is refused.
 *
 * @param expectedType the descriptor's or the response's media type
 * @throws ManifestInvalid naming `name`, the digest or reference it came from
 */
export function parseManifest(bytes: Uint8Array, expectedType: string | undefined, name: string): Manifest | Index {
  const body = parseObject(bytes, name);
  const fail = (problem: string): CodedError => new CodedError("ManifestInvalid", `${name}: ${problem}`);
  if (body["schemaVersion"] === 1)
    throw fail("is a Docker schema 1 manifest, which no registry should serve any more; push the image again");
  if (body["schemaVersion"] !== 2)
    throw fail(`schemaVersion is ${JSON.stringify(body["schemaVersion"])?.slice(0, 40)}, not 2`);
  const mediaType = mediaTypeOf(body, expectedType, fail);
  const isIndex = isIndexType(mediaType);
  const foreign = (isIndex ? ["layers", "config", "fsLayers"] : ["manifests", "fsLayers"]).find((key) => key in body);
  if (foreign !== undefined) throw fail(`a body of type ${mediaType} must not have "${foreign}"`);
  return isIndex ? indexOf(body, mediaType, fail) : manifestOf(body, mediaType, fail);
}

/** The same where `hint` is only what a registry said of it: the body's own media type goes before. */
export function parseHinted(bytes: Uint8Array, hint: string | undefined, name: string): Manifest | Index {
  const own = parseObject(bytes, name)["mediaType"];
  const isOwn = typeof own === "string" && own !== "";
  return parseManifest(bytes, isOwn ? own : hint, name);
}

type Fail = (problem: string) => CodedError;

function parseObject(bytes: Uint8Array, name: string): Json {
  try {
    return parseJsonObject(bytes);
  } catch (cause) {
    throw new CodedError("ManifestInvalid", `${name}: ${messageOf(cause)}`, { cause });
  }
}

/** The body's own media type, which must be the expected one; Helm and old tools leave it out. */
function mediaTypeOf(body: Json, expectedType: string | undefined, fail: Fail): string {
  const own = optionalString(body, "mediaType", fail);
  const expected = isKnownType(expectedType) ? expectedType : undefined;
  if (own === undefined || own === "") return expected ?? ("manifests" in body ? ociIndexType : ociManifestType);
  if (expected !== undefined && own !== expected) throw fail(`says it is ${own}, but was announced as ${expected}`);
  if (isKnownType(own)) return own;
  throw fail(`has the media type ${String(own)}; only OCI and Docker schema 2 manifests and indexes are supported`);
}

function isKnownType(mediaType: string | undefined): mediaType is string {
  return mediaType !== undefined && (isManifestType(mediaType) || isIndexType(mediaType));
}

function manifestOf(body: Json, mediaType: string, fail: Fail): Manifest {
  return {
    kind: "manifest",
    mediaType,
    ...artifactTypeOf(body, fail),
    config: descriptorOf(body["config"], "config", fail),
    layers: descriptorsOf(body["layers"], "layers", fail),
    ...subjectOf(body, fail),
    ...annotationsOf(body, "", fail),
  };
}

function indexOf(body: Json, mediaType: string, fail: Fail): Index {
  return {
    kind: "index",
    mediaType,
    ...artifactTypeOf(body, fail),
    manifests: descriptorsOf(body["manifests"], "manifests", fail),
    ...subjectOf(body, fail),
    ...annotationsOf(body, "", fail),
  };
}

/** OCI image-spec v1.1, descriptor.md. */
function descriptorOf(value: unknown, where: string, fail: Fail): Descriptor {
  if (!isObject(value)) throw fail(`${where} is not a descriptor`);
  const failHere: Fail = (problem) => fail(`${where}: ${problem}`);
  const base = contentOf(value, failHere);
  return {
    ...base,
    ...artifactTypeOf(value, failHere),
    ...annotationsOf(value, "", failHere),
    ...platformOf(value["platform"], failHere),
    ...dataOf(value, base, failHere),
  };
}

/** The three fields that every descriptor has. */
function contentOf(value: Json, fail: Fail): Descriptor {
  const mediaType = optionalString(value, "mediaType", fail) ?? "";
  if (mediaType === "" || mediaType.length > 255) throw fail("has no valid mediaType");
  const digest = optionalString(value, "digest", fail);
  if (digest === undefined || !isDigest(digest)) throw fail(`has the digest ${JSON.stringify(digest)?.slice(0, 100)}`);
  const { size } = value;
  if (!isSize(size)) throw fail(`has the size ${JSON.stringify(size)?.slice(0, 40)}`);
  return { mediaType, digest, size };
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function descriptorsOf(value: unknown, where: string, fail: Fail): Descriptor[] {
  // Go's encoder writes null for an empty slice.
  if (value === null) return [];
  if (!Array.isArray(value)) throw fail(`${where} is not a list`);
  if (value.length > maxDescriptors) throw fail(`${where} has ${value.length} entries, more than ${maxDescriptors}`);
  return value.map((item, at) => descriptorOf(item, `${where}[${at}]`, fail));
}

function artifactTypeOf(body: Json, fail: Fail): { artifactType?: string } {
  const artifactType = optionalString(body, "artifactType", fail);
  return artifactType === undefined || artifactType === "" ? {} : { artifactType };
}

function subjectOf(body: Json, fail: Fail): { subject?: Descriptor } {
  const subject = body["subject"];
  return subject === undefined || subject === null ? {} : { subject: descriptorOf(subject, "subject", fail) };
}

function annotationsOf(body: Json, where: string, fail: Fail): { annotations?: Annotations } {
  const value = body["annotations"];
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw fail(`${where}annotations is not a map`);
  const annotations: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw fail(`annotation "${key.slice(0, 80)}" is not text`);
    annotations[key] = text;
  }
  return { annotations: Object.freeze({ ...annotations }) };
}

function platformOf(value: unknown, fail: Fail): { platform?: Platform } {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw fail("platform is not an object");
  const text = (key: string): string | undefined =>
    optionalString(value, key, (problem) => fail(`platform: ${problem}`));
  const variant = text("variant");
  const osVersion = text("os.version");
  const features = value["os.features"];
  return {
    platform: {
      os: text("os") ?? "",
      architecture: text("architecture") ?? "",
      ...(variant ? { variant } : {}),
      ...(osVersion ? { osVersion } : {}),
      ...(Array.isArray(features) ? { osFeatures: features.filter((item) => typeof item === "string") } : {}),
    },
  };
}

/** Inline content must be what the descriptor says (descriptor.md, "Embedded Content"). */
function dataOf(value: Json, descriptor: Descriptor, fail: Fail): { data?: string } {
  const data = optionalString(value, "data", fail);
  if (data === undefined || data === "") return {};
  const bytes = Buffer.from(data, "base64");
  if (bytes.length !== descriptor.size || !matchesDigest(bytes, descriptor.digest))
    throw fail("its inline data is not what its digest and size say");
  return { data };
}

function optionalString(value: Json, key: string, fail: Fail): string | undefined {
  const text = value[key];
  if (text === undefined || text === null) return undefined;
  if (typeof text !== "string") throw fail(`${key} is not text`);
  return text;
}
