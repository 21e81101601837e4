import { isIndexType, isManifestType } from "../oci/media-types.ts";
import type { Descriptor } from "../oci/types.ts";

/** Manifests and indexes live under `/manifests/`, everything else under `/blobs/`. */
export function isManifest({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}
