import { compileWildcard, type WildClass, type WildToken } from "../text/wildcard.ts";

/** One part of a pattern, matched as Go's path.Match does: `*`, `?`, `[a-z]`, `[^a]`, `\` before any character. */
export interface PartMatcher {
  /** Whether matching takes no longer for a longer name. */
  readonly isPlain: boolean;
  readonly matches: (name: string) => boolean;
}

/** A malformed pattern matches nothing. */
export function compilePart(pattern: string): PartMatcher {
  if (!/[*?[\\]/.test(pattern)) return { isPlain: true, matches: (name) => name === pattern };
  const tokens = tokenize(pattern);
  if (tokens === undefined) return { isPlain: true, matches: () => false };
  const suffix = literalSuffix(tokens);
  if (suffix !== undefined) return { isPlain: true, matches: (name) => name.endsWith(suffix) };
  const least = tokens.filter((token) => token !== "run").length;
  const matches = compileWildcard(tokens);
  return { isPlain: false, matches: (name) => name.length >= least && matches(codePoints(name)) };
}

/** A name is held against one pattern after the other: so many of the last ones keep what they are made of. */
const maxKept = 256;
const kept = new Map<string, readonly number[]>();

function codePoints(text: string): readonly number[] {
  let codes = kept.get(text);
  if (codes === undefined) {
    if (kept.size >= maxKept) kept.clear();
    codes = Array.from(text, (char) => char.codePointAt(0)!);
    kept.set(text, codes);
  }
  return codes;
}

/** The text after the star of `*text`, the commonest pattern. */
function literalSuffix(tokens: readonly WildToken[]): string | undefined {
  const [first, ...rest] = tokens;
  return first === "run" && rest.every((token) => typeof token === "number")
    ? rest.map((code) => String.fromCodePoint(code)).join("")
    : undefined;
}

function tokenize(pattern: string): WildToken[] | undefined {
  const chars = Array.from(pattern);
  const tokens: WildToken[] = [];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === "*") {
      if (tokens.at(-1) !== "run") tokens.push("run");
    } else if (char === "?") {
      tokens.push("one");
    } else if (char === "[") {
      const parsed = parseClass(chars, i + 1);
      if (parsed === undefined) return undefined;
      tokens.push(parsed.token);
      i = parsed.end;
    } else {
      const literal = char === "\\" ? chars[++i] : char;
      if (literal === undefined) return undefined;
      tokens.push(literal.codePointAt(0)!);
    }
  }
  return tokens;
}

/** A class from the character after its `[`; `end` is the index of its `]`. */
function parseClass(chars: readonly string[], start: number): { token: WildClass; end: number } | undefined {
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
  return { token: { negated, ranges }, end: i };
}

function classChar(chars: readonly string[], at: number): { code: number; next: number } | undefined {
  const char = chars[at];
  if (char === undefined || char === "-" || char === "]") return undefined;
  const literal = char === "\\" ? chars[at + 1] : char;
  const next = at + (char === "\\" ? 2 : 1);
  return literal === undefined || next >= chars.length ? undefined : { code: literal.codePointAt(0)!, next };
}
