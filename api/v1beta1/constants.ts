/** The wire names of the API: what is written into objects and may therefore never change within v1beta1. */

export const GROUP = "source.strata.dev";
export const VERSION = "v1beta1";
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = "ArtifactRepository";
export const PLURAL = "artifactrepositories";
export const SINGULAR = "artifactrepository";

/** Held until the stored files, the pushed manifests and the published objects are gone. With a path, as the API server asks. */
export const FINALIZER = `${GROUP}/finalizer`;

/** Set by `flux reconcile`, Receivers and `strata reconcile`: a new value asks for a reconcile now. */
export const RECONCILE_REQUEST_ANNOTATION = "reconcile.fluxcd.io/requestedAt";

/** Which labels and annotations of a companion were set for its owner, and go again with the wish for them. */
export const CARRIED_ANNOTATION = `${GROUP}/carried`;

/** Keys of `status.artifact.metadata` besides the manifest's own annotations. */
export const UPSTREAM_DIGEST_ANNOTATION = `${GROUP}/upstream-digest`;
export const UPSTREAM_URL_ANNOTATION = `${GROUP}/upstream-url`;
/** The component version that a resource was taken from, `NAME:VERSION`, and the resource's identity as JSON. */
export const COMPONENT_ANNOTATION = "software.ocm.component";
export const RESOURCE_ANNOTATION = "software.ocm.resource";
/** What upstream says its revision is, such as `main@sha1:…`. */
export const UPSTREAM_REVISION_ANNOTATION = "org.opencontainers.image.revision";

/** What `spec.publish.oci.mediaType` is when absent. */
export const FLUX_CONTENT_MEDIA_TYPE = "application/vnd.cncf.flux.content.v1.tar+gzip";

/** `status.selected.layers` holds no more rows than this; `layerCount` goes on counting. */
export const MAX_SELECTED_ROWS = 50;

/** Whom server-side apply names as the owner of the fields that the controller writes. */
export const FIELD_MANAGER = "strata-controller";
