/** Bytes to send; `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * RFC 9110, 14.2: a single range of bytes. What is not one (several ranges, another unit, nonsense) is ignored, as the
 * specification allows, and the whole is sent.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const suffix = /^bytes=[ \t]*-(\d{1,15})[ \t]*$/i.exec(header ?? "")?.[1];
  if (suffix !== undefined) return satisfiable(size - Math.min(Number(suffix), size), size, size);
  const [, first, last] = /^bytes=[ \t]*(\d{1,15})-(\d{0,15})[ \t]*$/i.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const end = last ? Number(last) + 1 : size;
  if (last && end <= Number(first)) return undefined;
  return satisfiable(Number(first), end, size);
}

function satisfiable(start: number, end: number, size: number): ByteRange | "unsatisfiable" {
  return start < size ? { start, end: Math.min(end, size) } : "unsatisfiable";
}

/** RFC 9110, 13.1.2: whether the client has this representation already. Weak comparison; tags of ours hold no comma. */
export function isFresh(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()));
}
