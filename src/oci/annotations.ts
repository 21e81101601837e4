/** The name of a layer's file, or of a manifest (image-spec v1.1, annotations.md). */
export const titleKey = "org.opencontainers.image.title";
