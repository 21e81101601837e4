/**
 * One part of a pattern, matched as Go's path.Match does: `*`, `?`, `[a-z]`, `[^a]`, `\` before any character.
 * A malformed pattern matches nothing. Time is bounded by pattern length times name length: a star never backtracks
 * past the star before it.
 */
export type PartMatcher = (name: string) => boolean;

type Token =
  { readonly kind: "star" } | { readonly kind: "any" } | { readonly kind: "char"; readonly char: string } | ClassToken;

interface ClassToken {
  readonly kind: "class";
  readonly negated: boolean;
  readonly ranges: readonly (readonly [number, number])[];
}

export function compilePart(pattern: string): PartMatcher {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern;
  const tokens = tokenize(pattern);
  if (tokens === undefined) return () => false;
  const suffix = literalSuffix(tokens);
  if (suffix !== undefined) return (name) => name.endsWith(suffix);
  return (name) => matchTokens(tokens, Array.from(name));
}

/** The text after the star of `*text`, the commonest pattern. */
function literalSuffix(tokens: readonly Token[]): string | undefined {
  if (tokens[0]?.kind !== "star") return undefined;
  let suffix = "";
  for (const token of tokens.slice(1)) {
    if (token.kind !== "char") return undefined;
    suffix += token.char;
  }
  return suffix;
}

function tokenize(pattern: string): Token[] | undefined {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (char === "?") {
      tokens.push({ kind: "any" });
    } else if (char === "[") {
      const parsed = parseClass(chars, i + 1);
      if (parsed === undefined) return undefined;
      tokens.push(parsed.token);
      i = parsed.end;
    } else {
      const literal = char === "\\" ? chars[++i] : char;
      if (literal === undefined) return undefined;
      tokens.push({ kind: "char", char: literal });
    }
  }
  return tokens;
}

/** A class from the character after its `[`; `end` is the index of its `]`. */
function parseClass(chars: readonly string[], start: number): { token: ClassToken; end: number } | undefined {
  let i = start;
  const negated = chars[i] === "^";
  if (negated) i++;
  const ranges: [number, number][] = [];
  while (chars[i] !== "]" || ranges.length === 0) {
    const low = classChar(chars, i);
    if (low === undefined) return undefined;
    i = low.next;
    if (chars[i] !== "-") {
      ranges.push([low.code, low.code]);
      continue;
    }
    const high = classChar(chars, i + 1);
    if (high === undefined) return undefined;
    i = high.next;
    ranges.push([low.code, high.code]);
  }
  return { token: { kind: "class", negated, ranges }, end: i };
}

function classChar(chars: readonly string[], at: number): { code: number; next: number } | undefined {
  const char = chars[at];
  if (char === undefined || char === "-" || char === "]") return undefined;
  const literal = char === "\\" ? chars[at + 1] : char;
  const next = at + (char === "\\" ? 2 : 1);
  return literal === undefined || next >= chars.length ? undefined : { code: literal.codePointAt(0)!, next };
}

function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    if (tokens[token]?.kind === "star") {
      star = token++;
      starAt = at;
    } else if (token < tokens.length && matchOne(tokens[token]!, name[at]!)) {
      token++;
      at++;
    } else if (star !== -1) {
      token = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === "star") token++;
  return token === tokens.length;
}

function matchOne(token: Token, char: string): boolean {
  if (token.kind === "any") return true;
  if (token.kind === "char") return token.char === char;
  if (token.kind === "star") return false;
  const code = char.codePointAt(0)!;
  return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated;
}
