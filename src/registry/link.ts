/**
 * The target of `rel="next"` in a `Link` header (RFC 8288), resolved against the page it came with; undefined where there
 * is none. `elsewhere`: there is a next page, but the URL is on another origin (a registry that does not know its external
 * address) or is none. It is not followed.
 */
export function nextPage(header: string | undefined, page: URL): URL | "elsewhere" | undefined {
  for (const [, target = "", params = ""] of (header ?? "").matchAll(
    /<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)/g,
  )) {
    if (!isNext(params)) continue;
    const url = URL.canParse(target, page.href) ? new URL(target, page) : undefined;
    return url?.origin === page.origin ? url : "elsewhere";
  }
  return undefined;
}

function isNext(params: string): boolean {
  for (const [, name = "", quoted, plain = ""] of params.matchAll(
    /;\s*([^\s=;,]+)(?:\s*=\s*(?:"([^"]*)"|([^\s",;]+)))?/g,
  )) {
    if (name.toLowerCase() === "rel") return (quoted ?? plain).toLowerCase().split(/\s+/).includes("next");
  }
  return false;
}
