import { compileWildcard, type WildToken } from "../text/wildcard.ts";

/** Whether a value matches a pattern. */
export type GlobMatcher = (value: string) => boolean;

/** Values beyond this length match only a pattern that equals them, or `*`. */
const maxValueLength = 65_536;

/**
 * Globs on media types and annotations, case sensitive: `*` is any run of characters, also `/` and leading dots, `?` is
 * any one, `[a-z]` and `[!a-z]` are classes, `\` takes the next character as it stands. A `[` that nothing closes is
 * itself. A value that equals the pattern always matches.
 */
export function compileGlob(pattern: string): GlobMatcher {
  if (!/[*?[\\]/.test(pattern)) return (value) => value === pattern;
  const tokens = tokenize(pattern);
  if (tokens.every((token) => token === "run")) return () => true;
  if (tokens.every((token) => typeof token === "number")) {
    const literal = tokens.map((unit) => String.fromCharCode(unit)).join("");
    return (value) => value === literal || value === pattern;
  }
  const matches = compileWildcard(tokens);
  return (value) => value === pattern || (value.length <= maxValueLength && matches(units(value)));
}

/** A pattern that matches this text and, but for one that is the pattern itself, nothing else. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\\]/g, "\\$&");
}

function units(value: string): Uint16Array {
  const codes = new Uint16Array(value.length);
  for (let i = 0; i < value.length; i++) codes[i] = value.charCodeAt(i);
  return codes;
}

/** Stars, `?`, an escaped character, a class (a `]` in its first place is one of its characters), anything else. */
const parts = /(\*+)|(\?)|\\([^])|\[([!^]?)(\][^\]]*|[^\]]+)\]|([^])/g;

function tokenize(pattern: string): WildToken[] {
  return Array.from(pattern.matchAll(parts), ([, star, one, escaped, negation, members, char]): WildToken => {
    if (star !== undefined) return "run";
    if (one !== undefined) return "one";
    return members === undefined
      ? (escaped ?? char!).charCodeAt(0)
      : { negated: negation !== "", ranges: rangesOf(members) };
  });
}

function rangesOf(members: string): [number, number][] {
  return Array.from(members.matchAll(/([^])-([^])|([^])/g), ([, low, high, only]) =>
    only === undefined ? [low!.charCodeAt(0), high!.charCodeAt(0)] : [only.charCodeAt(0), only.charCodeAt(0)],
  );
}
