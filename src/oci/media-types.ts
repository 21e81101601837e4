/** Media types of the OCI image specification v1.1 and of Docker's registry API V2. */
export const ociManifestType = "application/vnd.oci.image.manifest.v1+json";
export const ociIndexType = "application/vnd.oci.image.index.v1+json";
export const ociConfigType = "application/vnd.oci.image.config.v1+json";
export const dockerConfigType = "application/vnd.docker.container.image.v1+json";
export const ociEmptyType = "application/vnd.oci.empty.v1+json";
export const dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json";
export const dockerListType = "application/vnd.docker.distribution.manifest.list.v2+json";

const manifestTypes: ReadonlySet<string> = new Set([ociManifestType, dockerManifestType]);
const indexTypes: ReadonlySet<string> = new Set([ociIndexType, dockerListType]);
/** What a registry is asked for when the kind is not known yet. */
export const acceptedTypes: readonly string[] = [ociIndexType, ociManifestType, dockerListType, dockerManifestType];

/** Whether it is an image manifest, of OCI or of Docker. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType);
}

/** Whether it is an index, of OCI or of Docker. */
export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType);
}
