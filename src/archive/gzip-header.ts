const hasHeaderCrc = 2;
const hasExtra = 4;
const hasName = 8;
const hasComment = 16;
const reservedBits = 0xe0;
/** Go's compress/gzip refuses longer names and comments. */
const maxTextBytes = 511;

/**
 * The length of a gzip header (RFC 1952, 2.3), "more" where `head` ends inside it, or "odd" for one that is broken or that
 * not every reader accepts.
 */
export function gzipHeaderLength(head: Buffer): number | "more" | "odd" {
  if (head.length < 10) return "more";
  const flags = head[3]!;
  if (head.readUIntBE(0, 3) !== 0x1f8b08 || (flags & (reservedBits | hasHeaderCrc)) !== 0) return "odd";
  let at: number | "more" | "odd" = 10;
  if (flags & hasExtra) at = head.length < 12 ? "more" : 12 + head.readUInt16LE(10);
  if (flags & hasName) at = skipText(head, at);
  if (flags & hasComment) at = skipText(head, at);
  return typeof at === "number" && at > head.length ? "more" : at;
}

function skipText(head: Buffer, at: number | "more" | "odd"): number | "more" | "odd" {
  if (typeof at === "string") return at;
  const end = head.indexOf(0, at);
  const length = (end === -1 ? head.length : end) - at;
  if (length > maxTextBytes) return "odd";
  return end === -1 ? "more" : end + 1;
}
