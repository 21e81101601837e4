import { createdKey } from "../oci/annotations.ts";
import { titleKey } from "../oci/annotations.ts";
import { sha256Of } from "../oci/digest.ts";
import { ociManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import type { ImageForm, Owner, SingleLayerImage } from "./store.ts";

/** Flux's media types (fluxcd/pkg/oci), which source-controller reads by default. */
const fluxConfigType = "application/vnd.cncf.flux.config.v1+json";
export const fluxContentType = "application/vnd.cncf.flux.content.v1.tar+gzip";

/** Says which object pushed a manifest; only what carries it is ever deleted. */
export const ownerAnnotation = "source.strata.dev/owner";

const sourceKey = "org.opencontainers.image.source";
const revisionKey = "org.opencontainers.image.revision";
const upstreamUrlKey = "source.strata.dev/upstream-url";

/** The config of every Flux artifact, byte for byte, so that registries hold it already. */
const fluxConfig = Buffer.from(
  '{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":null},"config":{}}',
);

/** What tells that config from one that has to be kept. */
export const fluxConfigDigest: Digest = sha256Of(fluxConfig);

const epoch = "1970-01-01T00:00:00Z";

/** `kind/namespace/name`: how a pushed manifest says whose it is. */
export function ownerMark(owner: Owner): string {
  return `${owner.kind.toLowerCase()}/${owner.namespace}/${owner.name}`;
}

/**
 * The annotations of a published manifest. Everything in them comes from upstream or names the content, nothing from a
 * clock: equal content gives an equal manifest. Where upstream does not say when it was made, that is 1970, as other
 * reproducible builds write.
 */
export function imageAnnotations(owner: Owner, metadata: Annotations, contentDigest: Digest): Annotations {
  const source = metadata[sourceKey] ?? metadata[upstreamUrlKey];
  return {
    [createdKey]: metadata[createdKey] ?? epoch,
    [revisionKey]: metadata[revisionKey] ?? contentDigest,
    ...(source !== undefined && { [sourceKey]: source }),
    [ownerAnnotation]: ownerMark(owner),
  };
}

/**
 * A Flux OCI artifact with one layer. No artifactType: registries that do not know the field refuse it. The same input
 * gives the same bytes.
 */
export function singleLayerImage(
  file: { digest: Digest; size: number },
  form: ImageForm,
  annotations: Annotations,
): SingleLayerImage {
  const configBytes = form.config === undefined ? fluxConfig : Buffer.from(form.config.bytes);
  const config: Descriptor = {
    mediaType: form.config?.mediaType ?? fluxConfigType,
    digest: sha256Of(configBytes),
    size: configBytes.length,
  };
  const titled = form.layerTitle === "" ? {} : { annotations: { [titleKey]: form.layerTitle } };
  const layer: Descriptor = { mediaType: form.layerMediaType, digest: file.digest, size: file.size, ...titled };
  const sorted = Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1)));
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, config, layers: [layer], annotations: sorted }),
  );
  return {
    descriptor: { mediaType: ociManifestType, digest: sha256Of(bytes), size: bytes.length },
    bytes,
    config,
    configBytes,
    layer,
  };
}
