import { createHash } from "node:crypto";
import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import { parseDuration } from "../../api/v1beta1/duration.ts";
import { formatIssues } from "../../api/v1beta1/issues.ts";
import { parseArtifactRepository } from "../../api/v1beta1/parse.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { tagOfVersion } from "../component/version.ts";
import { CodedError } from "../errors.ts";
import { parseReference, type RegistryReference } from "../oci/reference.ts";
import type { OperationOptions } from "../operation/operation.ts";
import type { Selection } from "../select/selection.ts";
import type { TagQuery } from "../tags/rule.ts";

/** Changed whenever the same layers would be made into another artifact, so that stored ones are made anew. */
const buildVersion = 3;

/** Helm writes the `+` of build metadata as `_` in tags. */
const helmType = /^application\/vnd\.cncf\.helm\./;

/** @throws InvalidSpec with a line for every issue */
export function parseObject(raw: unknown): ArtifactRepository {
  const parsed = parseArtifactRepository(raw);
  if ("resource" in parsed) return parsed.resource;
  throw new CodedError("InvalidSpec", formatIssues(parsed.issues), { details: { issues: parsed.issues } });
}

/** The repository of `spec.url`. @throws InvalidReference */
export function repositoryOf(spec: ArtifactRepositorySpec): RegistryReference {
  const reference = parseReference(spec.url);
  if (reference.kind !== "registry")
    throw new CodedError("InvalidReference", `url is ${spec.url}; write oci://registry/repository`);
  if (reference.tag === undefined && reference.digest === undefined) return reference;
  const { registry, repository, tag, digest } = reference;
  const fields = [
    ...(tag === undefined ? [] : [`ref.tag: ${JSON.stringify(tag)}`]),
    ...(digest === undefined ? [] : [`ref.digest: ${digest}`]),
  ];
  const what = [tag && "a tag", digest && "a digest"].filter(Boolean).join(" and ");
  throw new CodedError(
    "InvalidReference",
    `url ${spec.url} has ${what}, which belongs into ref: write url: oci://${registry}/${repository} and ${fields.join(", ")}`,
  );
}

/** `spec.ref` without the parts that are not about tags. */
export function tagQueryOf({ ref, component, layerSelector }: ArtifactRepositorySpec): TagQuery {
  const { imagePolicyRef: _, ...query } = ref ?? {};
  const chart = helmType.test(layerSelector?.mediaType ?? "");
  if (component === undefined) return { ...(query as TagQuery), chart };
  const { tag } = query;
  // People write the version, tags cannot hold its plus sign.
  return { ...(query as TagQuery), ...(tag !== undefined && { tag: tagOfVersion(tag) }), component: true };
}

/** No object asks its registry more often than that. */
export const shortestIntervalMs = 1000;

/** Milliseconds between routine reconciles; 0 where there are none. The schema has checked the duration. */
export function intervalMs({ interval }: Pick<ArtifactRepositorySpec, "interval">): number {
  return isZero(interval) ? 0 : Math.max(shortestIntervalMs, parseDuration(interval) ?? 0);
}

/** Whether `interval` asks for more than there is. */
export function isTooOften({ interval }: Pick<ArtifactRepositorySpec, "interval">): boolean {
  return !isZero(interval) && (parseDuration(interval) ?? 0) < shortestIntervalMs;
}

const longestTimeoutMs = 10 * 60_000;

/** How long a phase of questions and answers may take, retries together. `0s` is not a limit of one's own: ours remains. */
export function timeoutMs({ timeout }: Pick<ArtifactRepositorySpec, "timeout">): number {
  return isZero(timeout) ? longestTimeoutMs : Math.min(longestTimeoutMs, Math.max(1, parseDuration(timeout) ?? 0));
}

const isZero = (duration: string): boolean => !/[1-9]/.test(duration);

/** What is to be moved. */
export interface Size {
  readonly bytes: number;
  /** In so many pieces, each with requests of its own. */
  readonly parts: number;
}

/** Registries have to be faster, see `registryDefaults.pace`: this is for all pieces together, and for our own work on them. */
const leastBytesPerSecond = 4096;
const ownWorkMs = 5 * 60_000;

/** How long moving content may take in all. */
export function transferMs({ bytes, parts }: Size, answerMs: number): number {
  return Math.min(2 ** 31 - 1, answerMs + ownWorkMs + 1000 * parts + Math.ceil((1000 * bytes) / leastBytesPerSecond));
}

/** How the selected layers are combined. */
export function operationOptions(
  spec: ArtifactRepositorySpec,
  selection: Selection,
  names: { readonly tag: string; readonly repository: string },
): OperationOptions {
  const { onConflict = "Fail", symlinks = "Skip" } = spec.layerSelector ?? {};
  return {
    layout: selection.layout,
    onConflict,
    symlinks,
    ...(selection.filename !== undefined && { filename: selection.filename }),
    ...(selection.nameOf && { nameOf: selection.nameOf }),
    ...(selection.stem !== undefined && { stem: selection.stem }),
    ...(selection.rules && { rules: selection.rules }),
    ...(selection.isUndecided && { copiesRaw: true }),
    ...(spec.ignore !== undefined && { ignore: spec.ignore }),
    ...names,
  };
}

/** The checksum of everything in the spec that decides what an upstream digest becomes. */
export function contentChecksum({
  url,
  component,
  indexSelector,
  layerSelector,
  ignore,
  publish,
}: ArtifactRepositorySpec): string {
  const mediaType = publish?.oci?.mediaType;
  return buildChecksum({ url, component, indexSelector, layerSelector, ignore, mediaType });
}

/** The checksum of whatever decides what is built, with the version of the recipe. */
export function buildChecksum(content: object): string {
  const text = JSON.stringify(sorted({ version: buildVersion, ...content }));
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** With keys in order: equal values give equal JSON. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sorted(child)]),
  );
}
