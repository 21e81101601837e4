import { CodedError } from "../errors.ts";
import type { TagMove } from "../oci/content.ts";
import { acceptedTypes, ociIndexType } from "../oci/media-types.ts";
import { digestIn } from "../oci/reference.ts";
import { parseManifest } from "../oci/schema.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { isManifest } from "./content-kind.ts";
import { referrerEntry } from "../oci/referrer.ts";
import { statedDigest } from "./manifests.ts";
import { descriptorJson } from "./referrer-entry.ts";
import { fallbackTag, readFallbackTag } from "./referrers.ts";
import { conditionRefusals, tagRefusals } from "./refusals.ts";
import type { RegistryRequest } from "./request.ts";
import type { Session } from "./session.ts";
import type { Headers, HttpResponse } from "./http-message.ts";
import { targetOf } from "./transport.ts";

/** A registry that will not say is taken for one that has not got it: to push once more does no harm. */
export async function contentExists(session: Session, descriptor: Descriptor, signal: AbortSignal): Promise<boolean> {
  const manifest = isManifest(descriptor);
  const path = `${manifest ? "manifests" : "blobs"}/${descriptor.digest}`;
  const headers = { accept: manifest ? descriptor.mediaType : "*/*" };
  // With the scope of the upload that follows, so that one token does for both.
  const response = await session.ask({ method: "HEAD", path, headers, needs: "push", accept: "settled" }, signal);
  return response.status === 200;
}

/** distribution-spec, "Mounting a blob from another repository". A registry that will not opens an upload; it is cancelled. */
export async function mountBlob(
  session: Session,
  descriptor: Descriptor,
  from: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `blobs/uploads/?${new URLSearchParams({ mount: descriptor.digest, from }).toString()}`;
  const response = await session.ask(
    { method: "POST", path, needs: "push", mountFrom: from, accept: "settled" },
    signal,
  );
  const location = response.header("location");
  if (response.status === 202 && location !== undefined)
    await cancelUpload(session, targetOf(location, response.url, response.name), signal);
  return response.status === 201;
}

async function cancelUpload(session: Session, upload: URL, signal: AbortSignal): Promise<void> {
  try {
    await session.ask(
      { method: "DELETE", path: upload, needs: "delete", accept: [202, 204, 404, 405], retry: false },
      signal,
    );
  } catch {
    // Registries forget unfinished uploads by themselves.
  }
}

interface ManifestToPut {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly reference: string;
  /** Preconditions (RFC 9110, 13.1). */
  readonly condition?: Headers;
}

/**
 * False where the registry refuses the precondition.
 * @throws InvalidReference; DigestMismatch when the registry has stored other bytes; NotFound, RegistryResponseInvalid
 * when it misses a blob of the manifest
 */
export async function putManifest(
  session: Session,
  { descriptor, bytes, reference, condition }: ManifestToPut,
  signal: AbortSignal,
): Promise<boolean> {
  digestIn(reference);
  const request: RegistryRequest = {
    method: "PUT",
    path: `manifests/${reference}`,
    headers: { "content-type": descriptor.mediaType, ...condition },
    body: () => bytes,
    needs: "push",
    accept: [200, 201, 202, ...(condition ? conditionRefusals : [])],
  };
  const response = await session.ask(request, signal);
  if (response.status >= 400) return false;
  assertStored(response, descriptor);
  const { subject } = parseManifest(bytes, descriptor.mediaType, response.name);
  // Without OCI-Subject the registry has not noticed the reference, and clients look for it under the fallback tag.
  if (subject && response.header("oci-subject") === undefined)
    await addToFallbackTag(session, subject.digest, { descriptor, bytes }, signal);
  return true;
}

function assertStored(response: HttpResponse, { digest }: Descriptor): void {
  const stored = response.header("docker-content-digest");
  if (stored === undefined || stored === digest || stored.split(":", 1)[0] !== digest.split(":", 1)[0]) return;
  throw new CodedError("DigestMismatch", `${response.name}: the registry has stored ${stored} instead of ${digest}`);
}

/**
 * Points a tag at a manifest unless somebody else has moved it meanwhile. The registry is told what the tag pointed at a moment
 * ago. The specification knows no preconditions: a registry that refuses them, and shows the tag unmoved, does without.
 */
export async function moveTag(
  session: Session,
  { tag, from, descriptor, bytes }: TagMove,
  signal: AbortSignal,
): Promise<boolean> {
  for (const isConditional of [true, false]) {
    const { digest, etag } = await tagNow(session, tag, signal);
    // A registry that states no digest was asked for it by whoever knows `from`.
    if (digest !== "unstated" && digest !== from) return false;
    const condition: Headers | undefined =
      from === undefined ? { "if-none-match": "*" } : etag === undefined ? undefined : { "if-match": etag };
    const content = { descriptor, bytes, reference: tag, ...(isConditional && condition && { condition }) };
    if (await putManifest(session, content, signal)) return true;
  }
  return false;
}

interface TagNow {
  /** Undefined: there is no such tag. */
  readonly digest: Digest | "unstated" | undefined;
  readonly etag: string | undefined;
}

async function tagNow(session: Session, tag: string, signal: AbortSignal): Promise<TagNow> {
  const headers = { accept: acceptedTypes.join(", ") };
  // HEAD is a hint. Where GET is refused too, the tag is not there as far as one may know; the precondition guards it.
  for (const method of ["HEAD", "GET"] as const) {
    const response = await session.ask(
      {
        method,
        path: `manifests/${tag}`,
        headers,
        needs: "push",
        accept: method === "HEAD" ? "settled" : [200, ...tagRefusals],
      },
      signal,
    );
    if (response.status !== 200) continue;
    const etag = response.header("etag");
    // A weak one is none to compare by (RFC 9110, 13.1.1).
    return { digest: statedDigest(response) ?? "unstated", etag: etag?.startsWith('"') ? etag : undefined };
  }
  return { digest: undefined, etag: undefined };
}

/** distribution-spec v1.1, "Pushing Manifests with Subject": the client keeps the index of referrers. */
async function addToFallbackTag(
  session: Session,
  subject: Digest,
  content: { descriptor: Descriptor; bytes: Uint8Array },
  signal: AbortSignal,
): Promise<void> {
  const listed = await readFallbackTag(session, subject, "push", signal);
  const { descriptor, bytes } = content;
  if (listed.some((entry) => entry["digest"] === descriptor.digest)) return;
  const entry = referrerEntry(descriptor, parseManifest(bytes, descriptor.mediaType, descriptor.digest));
  await putFallbackTag(session, subject, [...listed, descriptorJson(entry)], signal);
}

async function putFallbackTag(
  session: Session,
  subject: Digest,
  manifests: readonly object[],
  signal: AbortSignal,
): Promise<void> {
  const updated = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests }));
  const root = { mediaType: ociIndexType, digest: sha256Of(updated), size: updated.length };
  await putManifest(session, { descriptor: root, bytes: updated, reference: fallbackTag(subject) }, signal);
}

/** What is already gone counts as deleted. @throws RegistryUnsupported, Forbidden, … */
export async function deleteManifest(
  session: Session,
  { digest, subject }: { readonly digest: Digest; readonly subject?: Digest | undefined },
  signal: AbortSignal,
): Promise<void> {
  await session.ask(
    { method: "DELETE", path: `manifests/${digest}`, needs: "delete", accept: [200, 202, 204, 404] },
    signal,
  );
  if (subject !== undefined) await removeFromFallbackTag(session, subject, digest, signal);
}

/** The same, for a referrer that is gone; a list with nothing in it goes as well. */
async function removeFromFallbackTag(
  session: Session,
  subject: Digest,
  digest: Digest,
  signal: AbortSignal,
): Promise<void> {
  const listed = await readFallbackTag(session, subject, "push", signal);
  const left = listed.filter((entry) => entry.digest !== digest);
  if (left.length === listed.length) return;
  if (left.length > 0) return await putFallbackTag(session, subject, left, signal);
  const { digest: list } = await tagNow(session, fallbackTag(subject), signal);
  if (list !== undefined && list !== "unstated") await deleteManifest(session, { digest: list }, signal);
}
