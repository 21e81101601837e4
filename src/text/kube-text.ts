const ellipsis = "...";

/** The longest beginning that takes no more than so many bytes of UTF-8, with dots where something is missing. */
export function cutBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes - ellipsis.length));
  return text.slice(0, read) + ellipsis;
}

/** metav1.Time: RFC 3339 in whole seconds. */
export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
