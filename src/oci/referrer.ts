import type { Fetcher } from "./content.ts";
import { algorithmOf, hexOf } from "./digest.ts";
import { fetchAll, parseDocument, settledBy } from "./fetch-all.ts";
import type { Limits } from "./limits.ts";
import { ociEmptyType } from "./media-types.ts";
import type { Descriptor, Digest, Index, Manifest } from "./types.ts";

/**
 * The tag under which older tools put what belongs to `subject` (cosign's SIGNATURE_SPEC); undefined for sha512, which would
 * be too long for a tag.
 */
export function cosignTag(subject: Digest, suffix: "sig" | "att" | "sbom"): string | undefined {
  return algorithmOf(subject) === "sha256" ? `sha256-${hexOf(subject)}.${suffix}` : undefined;
}

/** How a manifest is listed among the referrers of its subject (distribution-spec v1.1, "Listing Referrers"). */
export function referrerEntry({ mediaType, digest, size }: Descriptor, manifest: Manifest | Index): Descriptor {
  const artifactType = manifest.artifactType ?? (manifest.kind === "manifest" ? manifest.config.mediaType : undefined);
  const { annotations } = manifest;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  };
}

/** Whether a list leaves open what an entry is: cosign 2.6 and 3.0 list their bundles without a type, or as the empty one. */
export function isVague({ artifactType }: Descriptor): boolean {
  return artifactType === undefined || artifactType === "" || artifactType === ociEmptyType;
}

/**
 * A referrer as its own manifest describes it, whatever it is listed as.
 * @throws ManifestInvalid, NotFound, … what the fetcher throws
 */
export async function readReferrer(
  fetcher: Fetcher,
  listed: Descriptor,
  limits: Pick<Limits, "maxManifestBytes">,
  signal: AbortSignal,
): Promise<Descriptor> {
  const bytes = await fetchAll(fetcher, listed, limits.maxManifestBytes, signal);
  const content = parseDocument(bytes, listed, listed.digest);
  return referrerEntry(settledBy(listed, bytes, content), content);
}
