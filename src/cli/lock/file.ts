import { isDeepStrictEqual } from "node:util";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { cliDefaults } from "../../config.ts";
import { CodedError, hasErrno } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import type { Digest } from "../../oci/types.ts";
import { isObject, type Json, objectOf, parseJsonObject } from "../../text/json.ts";
import { namedRule, type TagRule } from "../../tags/rule.ts";
import { readManifestText } from "../manifests.ts";

/** What a reference has resolved to, and which reference that was. */
export interface Locked {
  readonly url: string;
  /** `spec.ref` as it was; absent where there was none. */
  readonly ref?: Json;
  readonly tag?: string;
  readonly digest: Digest;
}

/** By `namespace/name`. */
export type Lock = ReadonlyMap<string, Locked>;

const version = 1;

export const keyOf = ({ metadata }: ArtifactRepository): string =>
  `${metadata.namespace ?? cliDefaults.namespace}/${metadata.name}`;

/** Where the lock of a manifest file is. */
export const lockPathOf = (file: string): string => `${file}.lock`;

/** The url and the reference of an object, as a lock keeps them. */
export function askedBy({ spec }: ArtifactRepository): Pick<Locked, "url" | "ref"> {
  return { url: spec.url, ...(spec.ref && { ref: parseJsonObject(JSON.stringify(spec.ref)) }) };
}

/** JSON in which equal locks are equal texts. */
export function formatLock(lock: Lock): string {
  const artifacts = Object.fromEntries([...lock].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ version, artifacts }, null, 2)}\n`;
}

/** @throws InvalidSpec */
export async function readLock(path: string): Promise<Lock> {
  const text = await readManifestText(path, noInput()).catch((error: unknown) => {
    throw isMissing(error)
      ? new CodedError("InvalidSpec", `there is no lock ${path}; strata lock writes it`, { cause: error })
      : error;
  });
  const fail = (problem: string): CodedError =>
    new CodedError("InvalidSpec", `${path} ${problem}; strata lock writes it anew`);
  let document: Json;
  try {
    document = parseJsonObject(text);
  } catch (error) {
    throw new CodedError("InvalidSpec", `${path} is not a lock file; strata lock writes one`, { cause: error });
  }
  if (document["version"] !== version) throw fail(`does not have the version ${version}`);
  return new Map(
    Object.entries(objectOf(document["artifacts"])).map(([key, value]) => {
      if (!isLocked(value)) throw fail(`has an entry that is not one: ${key}`);
      return [key, value];
    }),
  );
}

const isMissing = (error: unknown): boolean => error instanceof Error && hasErrno(error.cause, "ENOENT");

function isLocked(value: unknown): value is Locked {
  if (!isObject(value)) return false;
  const { url, ref, tag, digest } = value;
  if (typeof url !== "string" || typeof digest !== "string" || !isDigest(digest)) return false;
  return (ref === undefined || isObject(ref)) && (tag === undefined || (typeof tag === "string" && isTag(tag)));
}

/** Why the lock does not say what an object stands for; undefined where it does. */
export function staleness(lock: Lock, object: ArtifactRepository): string | undefined {
  const locked = lock.get(keyOf(object));
  if (locked === undefined) return "is not locked";
  const asked = askedBy(object);
  if (locked.url !== asked.url) return `was locked with the url ${locked.url}`;
  return isDeepStrictEqual(locked.ref, asked.ref) ? undefined : "was locked with another ref";
}

/** The rule by which an object resolves to what is locked. @throws InvalidSpec where the lock is out of date */
export async function lockedRule(file: string, object: ArtifactRepository): Promise<TagRule> {
  const path = lockPathOf(file);
  const lock = await readLock(path);
  const stale = staleness(lock, object);
  if (stale !== undefined)
    throw new CodedError("InvalidSpec", `${path}: ${keyOf(object)} ${stale}; run strata lock -f ${file}`);
  const { tag, digest } = lock.get(keyOf(object))!;
  return namedRule({ tag, digest });
}

/** A lock is a file, and never standard input. */
async function* noInput(): AsyncGenerator<Uint8Array> {
  yield* [];
}
