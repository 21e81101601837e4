import { CodedError, codeOf } from "../errors.ts";
import type { Fetcher, Resolver } from "../oci/content.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Digest, Manifest } from "../oci/types.ts";
import { ownerAnnotation } from "../store/image-manifest.ts";

/** Manifests of ours are about 1 KiB; whatever is so much larger is somebody else's. */
export const maxManifestBytes = 256 * 1024;

/**
 * A manifest that was pushed earlier, by its digest.
 * @throws NotFound, ManifestTooLarge, ManifestInvalid, …
 */
export async function fetchPushed(
  repository: Resolver & Fetcher,
  digest: Digest,
  signal: AbortSignal,
): Promise<Manifest> {
  const descriptor = await repository.resolve(digest, signal, "read");
  const manifest = parseManifest(
    await fetchSmall(repository, descriptor, maxManifestBytes, signal),
    descriptor.mediaType,
    digest,
  );
  if (manifest.kind === "manifest") return manifest;
  throw new CodedError("ManifestInvalid", `${digest} is an index, where a manifest was pushed`);
}

/** The bytes of something small. @throws ManifestTooLarge */
export async function fetchSmall(
  repository: Fetcher,
  descriptor: Descriptor,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (descriptor.size > maxBytes)
    throw new CodedError("ManifestTooLarge", `${descriptor.digest} is ${descriptor.size} bytes, more than ${maxBytes}`);
  const chunks: Buffer[] = [];
  for await (const chunk of (await repository.fetch(descriptor, signal)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Errors that say that a manifest cannot be one of ours. */
const foreign = new Set(["ManifestInvalid", "ManifestTooLarge"]);

/** Whether an error says that what stands there is somebody else's. */
export const isForeign = (error: unknown): boolean => foreign.has(codeOf(error));

/**
 * Whose manifest it is: the mark of the object that pushed it, "" where it carries none, undefined where it is gone.
 * @throws what the registry client throws
 */
export async function ownerOfPushed(
  repository: Resolver & Fetcher,
  digest: Digest,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { annotations } = await fetchPushed(repository, digest, signal);
    return annotations?.[ownerAnnotation] ?? "";
  } catch (error) {
    if (codeOf(error) === "NotFound") return undefined;
    if (isForeign(error)) return "";
    throw error;
  }
}
