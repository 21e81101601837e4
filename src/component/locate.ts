import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { settled } from "../oci/fetch-all.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import { askedFor, type RegistryReference } from "../oci/reference.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { parseAccess, type Access } from "./access.ts";
import { checkedBlob, checkManifest, contentDigest } from "./content.ts";
import type { Resource } from "./descriptor.ts";
import { parseImageReference, parseRelativeReference } from "./image-reference.ts";
import type { ComponentVersion, ReadOptions } from "./read.ts";

/** A repository, by its registry and its path on it. */
export type Place = Pick<RegistryReference, "registry" | "repository">;

/**
 * How much a good signature vouches for. `bytes`: for the descriptor as it lies there, so also for the digests in accesses. `descriptor`:
 * for its normalised form, so only for the digests that resources and references state. Undefined: nothing was verified.
 */
export type Coverage = "bytes" | "descriptor" | undefined;

/** Opens another repository than the component's own. @throws AccessDenied where the registry may not be asked */
export type OpenRepository = (place: Place, signal: AbortSignal) => Promise<Repository>;

/** Where a component version was read. */
export interface Context extends ReadOptions {
  readonly repository: Repository;
  /** Undefined for a layout on disk. */
  readonly place: Place | undefined;
  readonly open: OpenRepository;
  readonly coverage: Coverage;
}

/** The content of a resource, found and checked by the resource's digest. A blob is checked to its end when it is read. */
export interface Located {
  /** `manifest`: a manifest or index. */
  readonly kind: "manifest" | "blob";
  readonly descriptor: Descriptor;
  readonly repository: Repository;
  readonly place: Place | undefined;
}

/** An artifact in the form of an archive, which OCM wrote before it stored them as they are. */
const packed = /^application\/vnd\.(?:oci|docker)\..*(?:manifest|index|list)\.v\d\+tar(?:[.+]gzip)?$/;

/**
 * @param what the resource, for messages
 * @throws AccessUnsupported, AccessDenied, ComponentInvalid, DigestMismatch, VerificationFailed, what registries answer
 */
export async function locate(
  resource: Resource,
  version: ComponentVersion,
  context: Context,
  what: string,
): Promise<Located> {
  const access = parseAccess(resource.access, what);
  const target = { resource, what, context };
  return access.kind === "localBlob" ? await localBlob(access, version, target) : await elsewhere(access, target);
}

interface Target {
  readonly resource: Resource;
  readonly what: string;
  readonly context: Context;
  /** What the content must be, where the resource itself says nothing. */
  readonly expected?: Digest;
}

async function localBlob(
  { reference, mediaType, globalAccess }: Access & { kind: "localBlob" },
  { blobs, node }: ComponentVersion,
  target: Target,
): Promise<Located> {
  const { what, context } = target;
  const isPacked = packed.test(mediaType);
  const found = isPacked ? undefined : blobs.find(({ digest }) => digest === reference);
  if (found !== undefined) return await checked({ ...asContent(found, mediaType), ...context }, target, reference);
  const other = globalAccess && parseAccess(globalAccess, what);
  if (other !== undefined && other.kind !== "localBlob")
    return await elsewhere(other, isPacked ? target : { ...target, expected: reference });
  throw isPacked
    ? new CodedError(
        "AccessUnsupported",
        `${what} is a local blob of the type ${printable(mediaType)}, an artifact packed into an archive, which is not opened here; a present ocm stores it as it is: transfer the component version once more`,
      )
    : new CodedError(
        "ComponentInvalid",
        `${what} is the local blob ${reference}, which is neither a layer of ${node.descriptor.digest} nor a manifest beside it`,
      );
}

/** What a resource says of its blob's type counts, except that it were a manifest: that is asked for in another way. */
function asContent(found: Descriptor, stated: string): Pick<Located, "kind" | "descriptor"> {
  if (isEntered(found.mediaType)) return { kind: "manifest", descriptor: found };
  const mediaType = stated === "" || isEntered(stated) ? found.mediaType : stated;
  return { kind: "blob", descriptor: { ...found, mediaType } };
}

function isEntered(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

async function elsewhere(access: Exclude<Access, { kind: "localBlob" }>, target: Target): Promise<Located> {
  const { what, context } = target;
  const reference = referenceOf(access, context.place, what);
  const place = { registry: reference.registry, repository: reference.repository };
  if (access.kind === "ociBlob") {
    const descriptor = {
      mediaType: access.mediaType || "application/octet-stream",
      digest: access.digest,
      size: access.size,
    };
    requireCovered(target, contentDigest(target.resource, "blob", what), access.digest);
    const repository = await openAt(place, context);
    await requireReadable(repository, descriptor, context.signal);
    return await checked({ kind: "blob", descriptor, repository, place }, target, access.digest);
  }
  const stated = contentDigest(target.resource, "manifest", what) ?? target.expected;
  requireCovered(target, stated, reference.digest);
  const repository = await openAt(place, context);
  const wanted = stated ?? askedFor(reference);
  const { limits, signal } = context;
  const descriptor = await settled(repository, await repository.resolve(wanted, signal, "read"), limits, signal);
  if (reference.digest !== undefined) await sameManifest(repository, descriptor, reference.digest, target);
  return await checked({ kind: "manifest", descriptor, repository, place }, target, reference.digest);
}

function referenceOf(
  access: Exclude<Access, { kind: "localBlob" }>,
  place: Place | undefined,
  what: string,
): RegistryReference {
  if (access.kind !== "relative") return parseImageReference(access.reference, what);
  if (place !== undefined) return parseRelativeReference(place.registry, access.reference, what);
  throw new CodedError(
    "AccessUnsupported",
    `${what} is in another repository of the component's registry (${printable(access.reference)}), and a layout on disk has none; name the component version in a registry`,
  );
}

async function openAt(place: Place, { place: own, repository, open, signal }: Context): Promise<Repository> {
  const isOwn = own?.registry === place.registry && own.repository === place.repository;
  return isOwn ? repository : await open(place, signal);
}

/** That somebody else has read a blob does not mean that this one may: each has to have got a byte of it. */
async function requireReadable(repository: Repository, blob: Descriptor, signal: AbortSignal): Promise<void> {
  const stream = await repository.fetch(blob, signal);
  try {
    for await (const _ of stream) break;
  } finally {
    stream.destroy();
  }
}

/** A reference that has both a tag and a digest, or a digest of its own beside the resource's, must mean one content. */
async function sameManifest(repository: Repository, found: Descriptor, digest: Digest, target: Target): Promise<void> {
  const { limits, signal } = target.context;
  await enforced(target, () => checkManifest(repository, found, digest, { what: target.what, limits, signal }));
}

/** @param inAccess the digest by which the access names the content */
async function checked(
  { kind, descriptor, repository, place }: Located,
  target: Target,
  inAccess: Digest | undefined,
): Promise<Located> {
  const { resource, what, context, expected } = target;
  const { limits, signal } = context;
  const stated = contentDigest(resource, kind, what);
  requireCovered(target, stated, inAccess);
  const required = stated ?? expected;
  const located = { kind, descriptor, repository, place };
  if (required === undefined) return located;
  return await enforced(target, async () => {
    if (kind === "blob") return { ...located, repository: checkedBlob(repository, descriptor, required, what) };
    await checkManifest(repository, descriptor, required, { what, limits, signal });
    return located;
  });
}

function requireCovered(
  { what, context: { coverage } }: Target,
  stated: Digest | undefined,
  inAccess: Digest | undefined,
): void {
  if (coverage === undefined || stated !== undefined || (coverage === "bytes" && inAccess !== undefined)) return;
  throw new CodedError(
    "VerificationFailed",
    `${what} states no digest, so that no signature covers its content; add the component version again with a digest for it, and sign that`,
  );
}

/** Where a signature is to cover the content, another content is a matter of trust. */
async function enforced<T>({ context: { coverage } }: Target, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (coverage === undefined || !(error instanceof CodedError) || error.code !== "DigestMismatch") throw error;
    throw new CodedError("VerificationFailed", error.message, { cause: error });
  }
}
