import type { Descriptor, Index, Manifest } from "../oci/types.ts";

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

/** The JSON of a descriptor, with the names of the image-spec. */
export function descriptorJson({ platform, ...rest }: Descriptor): object {
  if (!platform) return rest;
  const { osVersion, osFeatures, ...plain } = platform;
  return {
    ...rest,
    platform: {
      ...plain,
      ...(osVersion && { "os.version": osVersion }),
      ...(osFeatures && { "os.features": osFeatures }),
    },
  };
}
