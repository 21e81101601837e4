/*
 * Statuses by which registries say that they cannot do what was asked, each list for one question. Old registries, and the
 * proxies in front of them, choose among many; a list holds those for which the client has another way.
 */

const denied = [401, 403] as const;

/** The path or the method is not served. */
export const notServed: readonly number[] = [404, 405, 501];

/** A tag that is not there, or may not be seen. */
export const tagRefusals: readonly number[] = [...denied, ...notServed];

/** A page size beyond the registry's own. */
export const pageSizeRefusals: readonly number[] = [400, 413, 416, 422];

/** A page of tags that the registry has announced and cannot find, or the place to go on after. */
export const pageRefusals: readonly number[] = [...pageSizeRefusals, ...denied, 404, 405, 410, 414];

/** The referrers API, and the list under the fallback tag. */
export const referrersRefusals: readonly number[] = [...denied, ...notServed, 400, 406, 410, 414, 415, 422];

/** Any list. */
export const listRefusals: readonly number[] = [...new Set([...pageRefusals, ...referrersRefusals])];

/** A precondition that does not hold, or that the registry does not know. */
export const conditionRefusals: readonly number[] = [400, 412, 501];

/** A form of upload that the registry does not know, or has lost track of. */
export const uploadRefusals: readonly number[] = [...notServed, 400, 411, 415, 416];
