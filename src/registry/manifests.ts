import { LRUCache } from "lru-cache";
import { CodedError } from "../errors.ts";
import { printable } from "../text/printable.ts";
import type { NextStep } from "../oci/content.ts";
import { isDigest, matchesDigest, sha256Of } from "../oci/digest.ts";
import { acceptedTypes } from "../oci/media-types.ts";
import { digestIn } from "../oci/reference.ts";
import { parseHinted } from "../oci/schema.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./http-message.ts";

const accept = acceptedTypes.join(", ");

/** Manifests of one repository that have been read and checked, by digest. */
type ManifestMemo = LRUCache<string, Buffer>;

/** @param maxBytes of all manifests in it together */
export const createMemo = (maxBytes: number): ManifestMemo =>
  new LRUCache({ maxSize: maxBytes, sizeCalculation: (bytes) => bytes.length + 1 });

export interface ResolveRequest {
  readonly session: Session;
  readonly memo: ManifestMemo;
  /** A tag or a digest. */
  readonly reference: string;
  readonly next: NextStep;
}

/**
 * The descriptor of a tag or digest, by HEAD; by GET where its bytes are wanted next, or where the registry refuses HEAD
 * or does not say enough. What a HEAD says of size and type is a hint: proxies compress, and count what they cannot know.
 *
 * @throws InvalidReference, InvalidDigest, NotFound, DigestMismatch, ManifestTooLarge, RegistryResponseInvalid, …
 */
export async function resolveManifest(
  { session, memo, reference, next }: ResolveRequest,
  signal: AbortSignal,
): Promise<Descriptor> {
  const digest = digestIn(reference);
  const path = `manifests/${reference}`;
  if (next === undefined) {
    const head = await session.ask(
      { method: "HEAD", path, headers: { accept }, needs: "pull", accept: "settled" },
      signal,
    );
    const described = head.status === 200 ? describe(head, digest, session.access.limits.maxManifestBytes) : undefined;
    if (described) return described;
  }
  const got = await session.fetchManifestBytes(
    { method: "GET", path, headers: { accept }, needs: "pull", accept: [200] },
    signal,
  );
  const checked = checkBody(got.response, got.body, digest);
  session.shared.onBytes?.(got.response.url.host, got.body.length);
  memo.set(checked.digest, got.body);
  return checked;
}

/** What a HEAD says, or undefined where it leaves something out or cannot be: then GET decides. */
function describe(response: HttpResponse, wanted: Digest | undefined, maxBytes: number): Descriptor | undefined {
  const mediaType = mediaTypeOf(response);
  const size = Number(response.header("content-length") ?? "0");
  const stated = statedDigest(response) ?? wanted;
  if (!acceptedTypes.includes(mediaType) || !(size > 0 && size <= maxBytes) || stated === undefined) return undefined;
  return wanted !== undefined && stated !== wanted ? undefined : { mediaType, digest: stated, size, isHint: true };
}

/** `Docker-Content-Digest`; one in a form that nobody knows counts as absent. */
export function statedDigest(response: HttpResponse): Digest | undefined {
  const text = response.header("docker-content-digest")?.trim() ?? "";
  return isDigest(text) ? text : undefined;
}

const mediaTypeOf = (response: HttpResponse): string =>
  (response.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

function checkBody(response: HttpResponse, body: Buffer, wanted: Digest | undefined): Descriptor {
  // Where a digest was asked for, a header beside it says nothing more.
  const digest = wanted ?? statedDigest(response) ?? sha256Of(body);
  if (!matchesDigest(body, digest))
    throw new CodedError("DigestMismatch", `${response.name}: the manifest is not ${digest}`);
  return { mediaType: manifestType(response, body), digest, size: body.length };
}

/** What the body says of itself, else the Content-Type: proxies lose it, and caches hand out another one. */
function manifestType(response: HttpResponse, body: Buffer): string {
  const stated = mediaTypeOf(response);
  if (stated.includes("docker.distribution.manifest.v1+"))
    throw new CodedError(
      "RegistryResponseInvalid",
      `${response.name}: "${printable(stated, 100)}" is Docker's schema 1, which is not supported; push the image again with a current tool`,
    );
  const isKnown = acceptedTypes.includes(stated);
  try {
    return parseHinted(body, isKnown ? stated : undefined, response.name).mediaType;
  } catch (error) {
    if (isKnown || isGeneric(stated)) throw error;
    throw new CodedError(
      "RegistryResponseInvalid",
      `${response.name}: what came is not a manifest or index but "${printable(stated, 100)}"`,
      { cause: error },
    );
  }
}

const isGeneric = (type: string): boolean =>
  type === "" || /^(text\/plain|application\/(json|octet-stream))$/.test(type);

/**
 * The bytes of a manifest or index, checked.
 *
 * @throws SizeMismatch, DigestMismatch, ManifestTooLarge, NotFound, …
 */
export async function fetchManifest(
  session: Session,
  memo: ManifestMemo,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  const { digest, size, mediaType, isHint } = descriptor;
  const known = memo.get(digest);
  if (known) return known;
  const path = `manifests/${digest}`;
  const { maxManifestBytes } = session.access.limits;
  if (size > maxManifestBytes && !isHint)
    throw new CodedError(
      "ManifestTooLarge",
      `${session.name}@${digest} has ${size} bytes; at most ${maxManifestBytes} are read`,
    );
  const request = {
    method: "GET",
    path,
    headers: { accept: [mediaType, accept].join(", ") },
    needs: "pull",
    accept: [200],
  } as const;
  const { response, body } = await session.fetchManifestBytes(request, signal);
  session.shared.onBytes?.(response.url.host, body.length);
  if (body.length !== size && !isHint)
    throw new CodedError("SizeMismatch", `${response.name}: ${body.length} bytes, not ${size} as its descriptor says`);
  if (!matchesDigest(body, digest))
    throw new CodedError("DigestMismatch", `${response.name}: the bytes are not those of the digest`);
  memo.set(digest, body);
  return body;
}
