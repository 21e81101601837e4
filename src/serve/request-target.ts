/** What a request asks for: its path, decoded and without the leading slash, and its query. */
export interface RequestTarget {
  readonly path: string;
  readonly query: URLSearchParams;
}

/**
 * Takes a request target apart (RFC 9112, 3.2): origin-form or, as to a proxy, absolute-form. Each segment is decoded for
 * itself and once, so that an encoded slash or dot is never one. Nothing is normalised: `..`, `//` and the like stay, for
 * the caller's patterns to refuse.
 *
 * @returns undefined for what is not a path, or decodes to text that no path of ours can hold
 */
export function parseRequestTarget(target: string): RequestTarget | undefined {
  const [, encoded, query = ""] = /^(?:https?:\/\/[^/?#]*)?\/([^?#]*)(?:\?([^#]*))?$/i.exec(target) ?? [];
  if (encoded === undefined) return undefined;
  const segments: string[] = [];
  for (const part of encoded.split("/")) {
    const segment = decode(part);
    if (segment === undefined || /[/\\]|\p{Cc}/u.test(segment)) return undefined;
    segments.push(segment);
  }
  return { path: segments.join("/"), query: new URLSearchParams(query) };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
