import { type Document, isAlias, isMap, isScalar, Pair, Scalar, YAMLMap } from "yaml";
import { artifactRepositorySchema } from "../../../api/v1beta1/artifact-repository.ts";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import { formatIssues } from "../../../api/v1beta1/issues.ts";
import { parseArtifactRepository } from "../../../api/v1beta1/parse.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { parseReference } from "../../oci/reference.ts";
import { adviceFor } from "./advice.ts";

/** Where an object comes from: Flux's OCIRepository, or the older proposal with `image` and `tag`. */
export type Origin = "flux" | "proposal";

/** What the API server adds; an applied manifest does not hold it. */
const serverFields = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
  "finalizers",
];
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** Fields that the proposal had beside `image`; they belong to the reference. */
const referenceFields = ["tag", "digest", "semver", "semverFilter", "filterTags", "policy", "imagePolicyRef"];

/** Undefined for an object that is none of the kinds that are migrated. */
export function originOf(object: Readonly<Record<string, unknown>>): Origin | undefined {
  const { apiVersion, kind, spec } = object;
  if (kind !== "OCIRepository" && kind !== KIND) return undefined;
  if (typeof spec === "object" && spec !== null && "image" in spec) return "proposal";
  return kind === "OCIRepository" && String(apiVersion).startsWith("source.toolkit.fluxcd.io/") ? "flux" : undefined;
}

/**
 * Turns the nodes of one object into those of an ArtifactRepository, in place, with their comments.
 * @returns what could not be carried over, or means something else now, a line each
 * @throws InvalidSpec where the result would not be accepted, or would verify less than before
 */
export function migrateObject(object: YAMLMap, origin: Origin, document: Document): string[] {
  const spec = child(object, "spec");
  if (spec === undefined) throw invalid("it has no spec");
  setValue(object, "apiVersion", API_VERSION);
  setValue(object, "kind", KIND);
  object.delete("status");
  const notes = origin === "proposal" ? moveReference(spec) : [];
  cleanMetadata(object);
  notes.push(...dropUnknown(object, document), ...dropIneffective(spec));
  const parsed = parseArtifactRepository(plainValue(object, document));
  if ("issues" in parsed) throw invalid(formatIssues(parsed.issues));
  if (origin === "flux") notes.push(...adviceFor(plainValue(spec, document) as Readonly<Record<string, unknown>>));
  return notes;
}

function cleanMetadata(object: YAMLMap): void {
  const metadata = child(object, "metadata");
  for (const name of serverFields) metadata?.delete(name);
  const annotations = metadata && child(metadata, "annotations");
  annotations?.delete(lastApplied);
  if (annotations?.items.length === 0) metadata?.delete("annotations");
}

/** `image`, `tag`, `filterTags` and `policy` become `url` and `ref`. */
function moveReference(spec: YAMLMap): string[] {
  if (spec.has("url")) throw invalid("spec has both image and url; remove one of them");
  const image = pairOf(spec, "image")!;
  const text = isScalar(image.value) ? image.value.value : undefined;
  if (typeof text !== "string") throw invalid("spec.image is not text; write registry/repository");
  const { url, ...version } = readImage(text);
  image.key = new Scalar("url");
  if (isScalar(image.value)) image.value.value = url;
  const ref = takeReference(spec);
  addVersion(ref, version);
  if (ref.items.length > 0 && !spec.has("ref"))
    spec.items.splice(spec.items.indexOf(image) + 1, 0, new Pair(new Scalar("ref"), ref));
  return ref.has("policy") && ref.has("tag") ? ["spec.ref.tag is kept, but has no effect beside policy"] : [];
}

/** What stood behind the name of the image. */
function addVersion(
  ref: YAMLMap,
  version: { readonly tag?: string | undefined; readonly digest?: string | undefined },
): void {
  for (const [name, value] of Object.entries(version)) {
    if (value === undefined) continue;
    const other: unknown = ref.get(name);
    if (other !== undefined && other !== value)
      throw invalid(
        `spec.image says ${name} ${value}, and spec.${name} says ${JSON.stringify(other)}; remove one of them`,
      );
    ref.set(name, value);
  }
}

/** The fields of the reference, moved out of the spec with their comments. */
function takeReference(spec: YAMLMap): YAMLMap {
  const ref = child(spec, "ref") ?? new YAMLMap(spec.schema);
  for (const name of referenceFields) {
    const pair = pairOf(spec, name);
    if (pair === undefined) continue;
    if (ref.has(name)) throw invalid(`spec has both ${name} and ref.${name}; remove one of them`);
    spec.delete(name);
    ref.items.push(pair);
  }
  return ref;
}

/** As Docker reads the name of an image: without a registry it is on Docker Hub. */
function readImage(image: string): { url: string; tag?: string | undefined; digest?: string | undefined } {
  const name = image.replace(/^(?:oci|docker):\/\//, "");
  const [first = "", ...rest] = name.split("/");
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const hub = rest.length > 0 ? "docker.io/" : "docker.io/library/";
  try {
    const reference = parseReference(`oci://${hasRegistry ? "" : hub}${name}`);
    if (reference.kind === "layout") throw invalid("spec.image names a directory");
    return { url: `oci://${reference.registry}/${reference.repository}`, tag: reference.tag, digest: reference.digest };
  } catch (error) {
    throw invalid(`spec.image: ${messageOf(error)}`);
  }
}

/**
 * Removes what ArtifactRepository does not have; in Flux the API server did so. Not below `verify`: what is left there
 * might accept more than its author meant.
 */
function dropUnknown(object: YAMLMap, document: Document): string[] {
  const issues = artifactRepositorySchema.safeParse(plainValue(object, document)).error?.issues ?? [];
  const unknown = issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [],
  );
  return unknown.map((path) => {
    const shown = path
      .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
      .join("")
      .slice(1);
    if (path[1] === "verify" && !path.includes("secretRef"))
      throw invalid(
        `${shown} has no counterpart, and without it less would be verified; write verify.secretRef or verify.matchOIDCIdentity instead`,
      );
    object.deleteIn(path);
    return `${shown} is left out: ${path.at(-1) === "namespace" ? "references stay in the namespace of the object; copy what it names there" : `${KIND} has no such field`}`;
  });
}

/** Removes what had no effect in Flux, and is refused here for that. */
function dropIneffective(spec: YAMLMap): string[] {
  const ref = child(spec, "ref");
  if (!ref?.get("semverFilter") || ref.get("semver") || ref.has("policy")) return [];
  ref.delete("semverFilter");
  if (ref.items.length === 0) spec.delete("ref");
  return ["spec.ref.semverFilter is left out: it has no effect without semver"];
}

/** Without nodes; the cap is against aliases of aliases. */
export function plainValue(node: YAMLMap, document: Document): unknown {
  return node.toJS(document, { maxAliasCount: 100 }) as unknown;
}

/** A map below a key. @throws InvalidSpec for an alias or merge key, whose text belongs to another place too */
function child(parent: YAMLMap, key: string): YAMLMap | undefined {
  const value = parent.get(key, true) as unknown;
  if (isAlias(value)) throw invalid(`${key} is an alias (*${value.source}); write it out`);
  if (!isMap(value)) return undefined;
  if (value.has("<<")) throw invalid(`${key} has a merge key (<<); write it out`);
  return value;
}

function setValue(object: YAMLMap, key: string, value: string): void {
  const scalar = object.get(key, true) as unknown;
  if (isScalar(scalar)) scalar.value = value;
  else object.set(key, value);
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
}

function invalid(problem: string): CodedError {
  return new CodedError("InvalidSpec", problem);
}
