import { sha256Of } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";

/** How a manifest, an index or a list of blobs names these bytes. */
export function descriptorOf(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: sha256Of(bytes), size: bytes.length };
}
