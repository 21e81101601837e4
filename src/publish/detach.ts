import { isAbsence } from "../oci/absence.ts";
import type { WritableRepository } from "../oci/content.ts";
import { readReferrer } from "../oci/referrer.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { isForeign, maxManifestBytes } from "./pushed-manifest.ts";

/** Tells by the annotations, as the thing itself has them. */
type IsOwn = (annotations: Annotations) => boolean;

/**
 * Deletes what was attached to a pushed manifest and is one's own: signatures, attestations, copied referrers. What others have
 * attached stays.
 *
 * @throws RegistryUnsupported, Forbidden, … what the repository throws
 */
export async function detachOwn(
  repository: WritableRepository,
  subject: Digest,
  isOwn: IsOwn,
  signal: AbortSignal,
): Promise<void> {
  for (const listed of await repository.referrers(subject, signal))
    await detachOne(repository, listed, subject, { isOwn, signal });
  const { unsignManifest } = await import("../sign/sign.ts");
  await unsignManifest(repository, subject, isOwn, signal);
}

/** Deletes one referrer, where it is one's own. @throws RegistryUnsupported, Forbidden, … */
export async function detachOne(
  repository: WritableRepository,
  referrer: Descriptor,
  subject: Digest,
  { isOwn, signal }: { readonly isOwn: IsOwn; readonly signal: AbortSignal },
): Promise<void> {
  if (await isOwnReferrer(repository, referrer, isOwn, signal))
    await repository.deleteManifest(referrer.digest, signal, subject);
}

async function isOwnReferrer(
  repository: WritableRepository,
  referrer: Descriptor,
  isOwn: IsOwn,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { annotations = {} } = await readReferrer(repository, referrer, { maxManifestBytes }, signal);
    return isOwn(annotations);
  } catch (error) {
    // What is gone, or cannot be one of ours, is left alone.
    if (isAbsence(error) || isForeign(error)) return false;
    throw error;
  }
}
