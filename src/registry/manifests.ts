import { LRUCache } from "lru-cache";
import { CodedError } from "../errors.ts";
import { printable } from "../text/printable.ts";
import type { NextStep } from "../oci/content.ts";
import { algorithmOf, isDigest, matchesDigest, parseDigest, sha256Of } from "../oci/digest.ts";
import { acceptedTypes } from "../oci/media-types.ts";
import { isTag } from "../oci/reference.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./transport.ts";

const accept = acceptedTypes.join(", ");

/** Manifests of one repository that have been read and checked, by digest. */
type ManifestMemo = LRUCache<string, Buffer>;

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
 * The descriptor of a tag or digest, by HEAD; by GET where its bytes are wanted next, or where the registry answers HEAD
 * without saying enough.
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
      { method: "HEAD", path, headers: { accept }, needs: "pull", accept: [200, 400, 404, 405, 501] },
      signal,
    );
    const described = head.status === 200 ? describe(session, head, digest) : undefined;
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

/** The digest that `reference` is; undefined for a tag. @throws InvalidReference, InvalidDigest where it is neither */
export function digestIn(reference: string): Digest | undefined {
  if (reference.includes(":")) return parseDigest(reference);
  if (isTag(reference)) return undefined;
  throw new CodedError("InvalidReference", `"${printable(reference, 130)}" is neither a tag nor a digest`);
}

/** What a HEAD says, or undefined where it leaves something out. */
function describe(session: Session, response: HttpResponse, wanted: Digest | undefined): Descriptor | undefined {
  const mediaType = mediaTypeOf(response);
  const size = Number(response.header("content-length") ?? "0");
  const stated = statedDigest(response) ?? wanted;
  if (!acceptedTypes.includes(mediaType) || !(size > 0) || stated === undefined) return undefined;
  if (wanted !== undefined && stated !== wanted) {
    if (algorithmOf(stated) !== algorithmOf(wanted)) return undefined;
    throw new CodedError("DigestMismatch", `${response.name}: the registry answers with ${stated}`);
  }
  assertSize(response, size, session.access.limits.maxManifestBytes);
  return { mediaType, digest: stated, size };
}

function assertSize(response: HttpResponse, size: number, max: number): void {
  if (size > max)
    throw new CodedError("ManifestTooLarge", `${response.name}: a manifest of ${size} bytes; at most ${max} are read`);
}

/** `Docker-Content-Digest`; one in a form that nobody knows counts as absent. */
export function statedDigest(response: HttpResponse): Digest | undefined {
  const text = response.header("docker-content-digest")?.trim() ?? "";
  return isDigest(text) ? text : undefined;
}

const mediaTypeOf = (response: HttpResponse): string =>
  (response.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

function checkBody(response: HttpResponse, body: Buffer, wanted: Digest | undefined): Descriptor {
  const stated = statedDigest(response);
  const wrong = [wanted, stated].find((digest) => digest !== undefined && !matchesDigest(body, digest));
  if (wrong) throw new CodedError("DigestMismatch", `${response.name}: the manifest is not ${wrong}`);
  return { mediaType: manifestType(response, body), digest: wanted ?? stated ?? sha256Of(body), size: body.length };
}

/** The Content-Type, or what the body says of itself where a proxy has lost it. */
function manifestType(response: HttpResponse, body: Buffer): string {
  const stated = mediaTypeOf(response);
  if (acceptedTypes.includes(stated)) return stated;
  const generic = stated === "" || /^(text\/plain|application\/(json|octet-stream))$/.test(stated);
  if (generic) return parseManifest(body, undefined, response.name).mediaType;
  const schema1 = stated.includes("manifest.v1+")
    ? "; Docker's schema 1 is not supported, push the image again with a current tool"
    : "";
  throw new CodedError(
    "RegistryResponseInvalid",
    `${response.name}: "${printable(stated, 100)}" is no manifest or index${schema1}`,
  );
}

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
  const { digest, size, mediaType } = descriptor;
  const known = memo.get(digest);
  if (known) return known;
  const path = `manifests/${digest}`;
  const { maxManifestBytes } = session.access.limits;
  if (size > maxManifestBytes)
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
  if (body.length !== size)
    throw new CodedError("SizeMismatch", `${response.name}: ${body.length} bytes, not ${size} as its descriptor says`);
  if (!matchesDigest(body, digest))
    throw new CodedError("DigestMismatch", `${response.name}: the bytes are not those of the digest`);
  memo.set(digest, body);
  return body;
}
