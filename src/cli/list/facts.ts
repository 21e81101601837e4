import { defaultLimits } from "../../config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import { findReferrers, meaningOf, type Referrers } from "../../explore/referrers.ts";
import { createdKey } from "../../oci/annotations.ts";
import type { Repository } from "../../oci/content.ts";
import { fetchAll, fetchManifest } from "../../oci/fetch-all.ts";
import { dockerConfigType, ociConfigType } from "../../oci/media-types.ts";
import type { Descriptor, Digest, Manifest } from "../../oci/types.ts";
import { parseJsonObject } from "../../text/json.ts";

/** What is known of a tag that is shown. */
export interface TagFacts {
  readonly digest?: Digest;
  readonly mediaType?: string;
  /** When it was made, as its publisher states; ISO 8601. */
  readonly created?: string;
  /** What signatures refer to it; nobody has checked them. Undefined where that could not be found out. */
  readonly signatures?: readonly string[];
  /** Why the above is not known. */
  readonly problem?: { readonly code: string; readonly message: string };
}

export interface Facts {
  readonly byTag: ReadonlyMap<string, TagFacts>;
  readonly problems: readonly string[];
}

/** Tags asked about at a time. */
const concurrency = 4;
/** Configs of images with a long history are some 100 kB. */
const maxConfigBytes = 1024 * 1024;
const imageConfigs = new Set([ociConfigType, dockerConfigType]);
const signature = /signature|Sigstore bundle/;

/** Digest, date and signatures of each of `tags`; each takes a handful of requests. @throws the reason of `signal` */
export async function factsOf(repository: Repository, tags: readonly string[], signal: AbortSignal): Promise<Facts> {
  const byTag = new Map<string, TagFacts>();
  const queue = tags.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const tag of queue) byTag.set(tag, await factsOfTag(repository, tag, signal));
    }),
  );
  const digests = [...new Set([...byTag.values()].flatMap(({ digest }) => digest ?? []))];
  const referrers = await findReferrers(repository, digests, signal);
  for (const [tag, facts] of byTag) byTag.set(tag, withSignatures(facts, referrers));
  return { byTag, problems: referrers.problems };
}

async function factsOfTag(repository: Repository, tag: string, signal: AbortSignal): Promise<TagFacts> {
  let known: TagFacts = {};
  try {
    const root = await repository.resolve(tag, signal, "read");
    known = { digest: root.digest, mediaType: root.mediaType };
    const created = await createdOf(repository, root, signal);
    return created === undefined ? known : { ...known, created };
  } catch (error) {
    signal.throwIfAborted();
    return { ...known, problem: { code: codeOf(error), message: messageOf(error) } };
  }
}

/** The annotation of the root or, where it is an index, of its first manifest; else what the config of an image says. */
async function createdOf(repository: Repository, root: Descriptor, signal: AbortSignal): Promise<string | undefined> {
  const top = await fetchManifest(repository, root, defaultLimits, signal);
  const own = dateOf(top.annotations?.[createdKey]);
  if (own !== undefined) return own;
  if (top.kind === "manifest") return await configDate(repository, top, signal);
  const [first] = top.manifests;
  if (first === undefined) return undefined;
  const below = await fetchManifest(repository, first, defaultLimits, signal);
  if (below.kind !== "manifest") return dateOf(below.annotations?.[createdKey]);
  return dateOf(below.annotations?.[createdKey]) ?? (await configDate(repository, below, signal));
}

async function configDate(
  repository: Repository,
  { config }: Manifest,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!imageConfigs.has(config.mediaType) || config.size > maxConfigBytes) return undefined;
  const bytes = await fetchAll(repository, config, maxConfigBytes, signal);
  return dateOf(parseJsonObject(bytes)["created"]);
}

/** Anything may stand there; only a date is passed on, in one form. */
function dateOf(value: unknown): string | undefined {
  const ms = typeof value === "string" && value.length <= 64 ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

function withSignatures(facts: TagFacts, { bySubject, problems }: Referrers): TagFacts {
  if (facts.digest === undefined) return facts;
  const found = bySubject.get(facts.digest);
  if (found === undefined && problems.length > 0) return facts;
  const meanings = (found ?? []).flatMap((referrer) => meaningOf(referrer) ?? []);
  return { ...facts, signatures: [...new Set(meanings.filter((meaning) => signature.test(meaning)))] };
}
