/** The name of a layer's file, or of a manifest (image-spec v1.1, annotations.md). */
export const titleKey = "org.opencontainers.image.title";

/** When it was made, as RFC 3339 (the same page). */
export const createdKey = "org.opencontainers.image.created";
