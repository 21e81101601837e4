/**
 * `strata/oci`: references, digests, descriptors and manifests; nothing here asks anybody. What is named here is public: it
 * changes by semantic versioning, and docs/library.md describes it.
 */
export { CodedError, codeOf, type CodedErrorOptions, type ErrorCode } from "../errors.ts";
export { descriptorOf } from "./descriptor.ts";
export { isDigest, parseDigest, sha256Of } from "../oci/digest.ts";
export {
  acceptedTypes as manifestMediaTypes,
  isIndexType,
  isManifestType,
  ociConfigType,
  ociEmptyType,
  ociIndexType,
  ociManifestType,
} from "../oci/media-types.ts";
export { formatPlatform, matchesPlatform, parsePlatform } from "../oci/platform.ts";
export {
  formatReference,
  isTag,
  parseReference,
  type LayoutReference,
  type Reference,
  type RegistryReference,
} from "../oci/reference.ts";
export { parseManifest } from "../oci/schema.ts";
export type { Annotations, Descriptor, Digest, Index, Manifest, ManifestNode, Platform } from "../oci/types.ts";
