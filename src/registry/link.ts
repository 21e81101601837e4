const linkValue = /<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)/g;

/**
 * The target of `rel="next"` in a `Link` header (RFC 8288), resolved against the page it came with; undefined where there
 * is none. `elsewhere`: there is a next page, but the URL is on another origin (a registry that does not know its external
 * address), is none, or cannot be told from the header. It is not followed, and the list is not at its end.
 */
export function nextPage(header: string | undefined, page: URL): URL | "elsewhere" | undefined {
  const text = header?.trim() ?? "";
  if (text === "") return undefined;
  const links = [...text.matchAll(linkValue)];
  const next = links.find(([, , params = ""]) => relationsOf(params)?.includes("next"));
  if (next !== undefined) return targetOf(next[1] ?? "", page);
  // A link to the last or previous page is well understood, and is not the next.
  const isUnderstood = links.length > 0 && links.every(([, , params = ""]) => relationsOf(params) !== undefined);
  return isUnderstood ? undefined : "elsewhere";
}

function targetOf(target: string, page: URL): URL | "elsewhere" {
  const url = URL.canParse(target, page.href) ? new URL(target, page) : undefined;
  // Behind a proxy that ends TLS a registry may think that it is spoken to in plain HTTP.
  if (url?.protocol === "http:" && page.protocol === "https:" && url.host === page.host) url.protocol = "https:";
  return url?.origin === page.origin ? url : "elsewhere";
}

/** What a link is said to be; undefined where nothing is said. */
function relationsOf(params: string): string[] | undefined {
  for (const [, name = "", quoted, plain = ""] of params.matchAll(
    /;\s*([^\s=;,]+)(?:\s*=\s*(?:"([^"]*)"|([^\s",;]+)))?/g,
  )) {
    if (name.toLowerCase() === "rel") return (quoted ?? plain).toLowerCase().split(/\s+/);
  }
  return undefined;
}
