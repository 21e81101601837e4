import metadata from "../package.json" with { type: "json" };

/** Strata's own version (semantic versioning). */
export const { version } = metadata;
