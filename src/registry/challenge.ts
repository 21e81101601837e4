/** One challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case: `basic`, `bearer`, … */
  readonly scheme: string;
  /** Names in lower case. */
  readonly params: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const param = new RegExp(`^(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`);
const scheme = new RegExp(`^(${token})(?:[ \\t]+([A-Za-z0-9._~+/-]+=*)(?=[ \\t]*(?:,|$)))?(?=[ \\t,]|$)`);
/** No registry needs more, and the time to parse stays small. */
const maxHeaderLength = 8192;

/**
 * Every challenge in the header, in order. Commas separate both challenges and parameters, and may stand in quoted
 * strings; what cannot be understood ends the list rather than failing it.
 */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  let rest = (typeof header === "string" ? header : (header ?? []).join(", ")).slice(0, maxHeaderLength);
  const found: { scheme: string; params: Record<string, string> }[] = [];
  for (;;) {
    rest = rest.replace(/^[\s,]+/, "");
    const current = found.at(-1);
    const taken = (current && takeParam(rest, current.params)) ?? takeScheme(rest, found);
    if (taken === undefined) return found;
    rest = rest.slice(taken);
  }
}

/** Adds the parameter that `text` begins with; returns its length. */
function takeParam(text: string, params: Record<string, string>): number | undefined {
  const pair = param.exec(text);
  if (!pair) return undefined;
  const [whole, name = "", quoted, plain = ""] = pair;
  params[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? plain;
  return whole.length;
}

/** Adds the challenge that `text` begins with; returns the length of its scheme. */
function takeScheme(text: string, found: { scheme: string; params: Record<string, string> }[]): number | undefined {
  const start = scheme.exec(text);
  if (!start) return undefined;
  found.push({ scheme: (start[1] ?? "").toLowerCase(), params: Object.create(null) as Record<string, string> });
  return start[0].length;
}
