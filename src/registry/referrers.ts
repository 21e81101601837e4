import { CodedError } from "../errors.ts";
import { algorithmOf, hexOf } from "../oci/digest.ts";
import { ociIndexType } from "../oci/media-types.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { nextPage } from "./link.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./transport.ts";

const maxPages = 100;
/** What registries without the referrers API answer with. */
const unsupported = [400, 404, 405, 501];

/**
 * What refers to `subject` (distribution-spec v1.1, "Listing Referrers"). Where the registry lacks the API, the index
 * under the fallback tag is read; no such tag means no referrers.
 *
 * @throws TooManyManifests, RegistryResponseInvalid, ManifestInvalid, …
 */
export async function listReferrers(
  session: Session,
  subject: Digest,
  artifactType: string | undefined,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const found = (await fromApi(session, subject, artifactType, signal)) ?? (await fromTag(session, subject, signal));
  // Filtering is optional for registries.
  return artifactType === undefined ? found : found.filter((descriptor) => descriptor.artifactType === artifactType);
}

/** Undefined where the registry has no referrers API. */
async function fromApi(
  session: Session,
  subject: Digest,
  artifactType: string | undefined,
  signal: AbortSignal,
): Promise<Descriptor[] | undefined> {
  const { maxManifests } = session.access.limits;
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const found: Descriptor[] = [];
  const seen = new Set<string>();
  for (let url: URL | undefined = session.url(`referrers/${subject}${query}`); url;) {
    if (seen.has(url.href) || seen.size >= maxPages)
      throw new CodedError("RegistryResponseInvalid", `${session.name}: the list of referrers has no end`);
    seen.add(url.href);
    const { response, body } = await getIndex(session, url, signal);
    if (response.status !== 200 || !isIndex(response)) return undefined;
    found.push(...parseIndex(response, body));
    if (found.length > maxManifests)
      throw new CodedError("TooManyManifests", `${session.name}@${subject} has more than ${maxManifests} referrers`);
    const next = nextPage(response.header("link"), response.url);
    if (next === "elsewhere")
      throw new CodedError(
        "RegistryResponseInvalid",
        `${response.name}: the next page of referrers is on another host`,
      );
    url = next;
  }
  return found;
}

async function fromTag(session: Session, subject: Digest, signal: AbortSignal): Promise<readonly Descriptor[]> {
  const { response, body } = await getIndex(session, session.url(`manifests/${fallbackTag(subject)}`), signal);
  return response.status === 200 ? parseIndex(response, body) : [];
}

/** distribution-spec v1.1, "Referrers Tag Schema". */
export function fallbackTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`;
}

async function getIndex(
  session: Session,
  url: URL,
  signal: AbortSignal,
): Promise<{ response: HttpResponse; body: Buffer }> {
  const request = {
    method: "GET",
    path: url,
    headers: { accept: ociIndexType },
    needs: "pull",
    accept: [200, ...unsupported],
  } as const;
  return await session.fetchManifestBytes(request, signal);
}

/** Older registries answer unknown paths with a web page. */
const isIndex = (response: HttpResponse): boolean => (response.header("content-type") ?? "").startsWith(ociIndexType);

function parseIndex(response: HttpResponse, body: Buffer): readonly Descriptor[] {
  const parsed = parseManifest(body, ociIndexType, response.name);
  return parsed.kind === "index" ? parsed.manifests : [];
}
