import { CodedError } from "../errors.ts";
import { statusOf } from "../http/failures.ts";
import { algorithmOf, hexOf, isDigest, matchesDigest } from "../oci/digest.ts";
import { isIndexType, isManifestType, ociIndexType, ociManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { objectOf, parseJsonObject } from "../text/json.ts";
import { nextPage } from "./link.ts";
import { referrersRefusals } from "./refusals.ts";
import type { RegistryRequest } from "./request.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./http-message.ts";

const maxPages = 100;

/** An entry of a list of referrers, as it stands there. */
export type ListedEntry = Readonly<Record<string, unknown>> & { readonly digest: Digest };

/**
 * What refers to `subject` (distribution-spec v1.1, "Listing Referrers"). Where the registry lacks the API, or knows of
 * nothing, the index under the fallback tag is read. What is not a list of referrers counts as none: registries answer
 * unknown paths with web pages and empty objects, and GitLab takes the fallback tag for the digest itself. Nothing is
 * filtered by the registry, whose types are hints like its sizes.
 *
 * @throws TooManyManifests, RegistryResponseInvalid, RegistryUnavailable, …
 */
export async function listReferrers(
  session: Session,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  let failure: unknown;
  const listed = await fromApi(session, subject, signal).catch((error: unknown) => {
    // Registries from before the API may answer it with a 5xx; the tag decides whether that was one of them.
    if (statusOf(error) < 500) throw error;
    failure = error;
    return [];
  });
  if (listed.length > 0) return listed.map(hintOf);
  const tagged = await readFallbackTag(session, subject, "pull", signal);
  if (tagged.length === 0 && failure !== undefined) throw failure;
  return tagged.map(hintOf);
}

/** Nothing where the registry has no referrers API. */
async function fromApi(session: Session, subject: Digest, signal: AbortSignal): Promise<ListedEntry[]> {
  const { maxManifests } = session.access.limits;
  const found: ListedEntry[] = [];
  const seen = new Set<string>();
  for (let url: URL | undefined = session.url(`referrers/${subject}`); url;) {
    if (seen.has(url.href) || seen.size >= maxPages)
      throw new CodedError("RegistryResponseInvalid", `${session.name}: the list of referrers has no end`);
    const { response, body } = await session.fetchManifestBytes(question(url, "pull"), signal);
    const page = response.status === 200 ? entriesOf(body) : undefined;
    if (page === undefined && seen.size === 0) return [];
    if (page === undefined) throw incomplete(response, "the next page is not a list of referrers");
    seen.add(url.href);
    found.push(...page);
    if (found.length > maxManifests)
      throw new CodedError("TooManyManifests", `${session.name}@${subject} has more than ${maxManifests} referrers`);
    const next = nextPage(response.header("link"), response.url);
    if (next === "elsewhere") throw incomplete(response, "the Link to the next page leads elsewhere");
    url = next;
  }
  return found;
}

function incomplete(response: HttpResponse, problem: string): CodedError {
  return new CodedError("RegistryResponseInvalid", `${response.name}: the list of referrers is incomplete: ${problem}`);
}

/** The entries under the fallback tag, as they stand there; none where it is not a list, or may not be read. */
export async function readFallbackTag(
  session: Session,
  subject: Digest,
  needs: "pull" | "push",
  signal: AbortSignal,
): Promise<readonly ListedEntry[]> {
  const url = session.url(`manifests/${fallbackTag(subject)}`);
  const { response, body } = await session.fetchManifestBytes(question(url, needs), signal);
  if (response.status !== 200 || matchesDigest(body, subject)) return [];
  const entries = entriesOf(body);
  if (entries === undefined && needs === "push")
    throw new CodedError(
      "RegistryResponseInvalid",
      `${response.name}: the tag holds something that is not a list of referrers`,
    );
  return entries ?? [];
}

/** distribution-spec v1.1, "Referrers Tag Schema". */
export function fallbackTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`;
}

/** Older registries refuse it in every way there is. */
function question(path: URL, needs: "pull" | "push"): RegistryRequest {
  return { method: "GET", path, headers: { accept: ociIndexType }, needs, accept: [200, ...referrersRefusals] };
}

function entriesOf(body: Buffer): ListedEntry[] | undefined {
  let manifests: unknown;
  try {
    ({ manifests } = parseJsonObject(body));
  } catch {
    return undefined;
  }
  return Array.isArray(manifests) ? manifests.filter(isEntry) : undefined;
}

function isEntry(value: unknown): value is ListedEntry {
  const { digest } = objectOf(value);
  return typeof digest === "string" && isDigest(digest);
}

/** The digest is sure, everything else is what the registry thinks. */
function hintOf({ digest, mediaType, size, artifactType, annotations }: ListedEntry): Descriptor {
  const isKnown = typeof mediaType === "string" && (isManifestType(mediaType) || isIndexType(mediaType));
  return {
    mediaType: isKnown ? mediaType : ociManifestType,
    digest,
    size: typeof size === "number" && Number.isSafeInteger(size) && size > 0 ? size : 0,
    ...(typeof artifactType === "string" && artifactType !== "" && { artifactType }),
    ...annotationsOf(annotations),
    isHint: true,
  };
}

function annotationsOf(value: unknown): { annotations?: Annotations } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const texts = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return texts.length === 0 ? {} : { annotations: Object.fromEntries(texts) };
}
