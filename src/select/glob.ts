/** Whether a value matches a pattern. */
export type GlobMatcher = (value: string) => boolean;

type Token =
  | "any-run"
  | "any-one"
  | { readonly char: string }
  | { readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** Values beyond this length match only a pattern that equals them, or `*`: time is bounded by this times the pattern's length. */
const maxValueLength = 65_536;

/**
 * Globs on media types and annotations, case sensitive: `*` is any run of characters, also `/` and leading dots, `?` is
 * any one, `[a-z]` and `[!a-z]` are classes, `\` takes the next character as it stands. A `[` that nothing closes is
 * itself. A value that equals the pattern always matches.
 *
 * A star never backtracks past the star before it, so no pattern and no value takes more than their lengths multiplied.
 */
export function compileGlob(pattern: string): GlobMatcher {
  if (!/[*?[\\]/.test(pattern)) return (value) => value === pattern;
  const tokens = tokenize(pattern);
  if (tokens.every((token) => token === "any-run")) return () => true;
  return (value) => value === pattern || (value.length <= maxValueLength && matchTokens(tokens, value));
}

/** Stars, `?`, an escaped character, a class (a `]` in its first place is one of its characters), anything else. */
const parts = /(\*+)|(\?)|\\([^])|\[([!^]?)(\][^\]]*|[^\]]+)\]|([^])/g;

function tokenize(pattern: string): Token[] {
  return Array.from(pattern.matchAll(parts), ([, star, one, escaped, negation, members, char]): Token => {
    if (star !== undefined) return "any-run";
    if (one !== undefined) return "any-one";
    return members === undefined ? { char: escaped ?? char! } : { negated: negation !== "", ranges: rangesOf(members) };
  });
}

function rangesOf(members: string): [string, string][] {
  return Array.from(members.matchAll(/([^])-([^])|([^])/g), ([, low, high, only]) =>
    only === undefined ? [low!, high!] : [only, only],
  );
}

function matchTokens(tokens: readonly Token[], value: string): boolean {
  let token = 0;
  let at = 0;
  let afterStar = -1;
  let starAt = 0;
  while (at < value.length) {
    const current = tokens[token];
    if (current === "any-run") {
      afterStar = ++token;
      starAt = at;
    } else if (current !== undefined && matchOne(current, value[at]!)) {
      token++;
      at++;
    } else if (afterStar >= 0) {
      token = afterStar;
      at = ++starAt;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest === "any-run");
}

function matchOne(token: Exclude<Token, "any-run">, char: string): boolean {
  if (token === "any-one") return true;
  if ("char" in token) return token.char === char;
  return token.ranges.some(([low, high]) => low <= char && char <= high) !== token.negated;
}
