import metadata from "../package.json" with { type: "json" };

/** Set when a bundle is made; a checkout that runs from its sources has none. */
declare const STRATA_COMMIT: string | undefined;

/** Strata's own version (semantic versioning). */
export const { version } = metadata;

/** The commit that a bundle was made of, 12 hexadecimal digits; undefined where it runs from the sources. */
export const commit: string | undefined = typeof STRATA_COMMIT === "undefined" ? undefined : STRATA_COMMIT || undefined;
