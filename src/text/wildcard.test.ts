import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileWildcard, type WildToken } from "./wildcard.ts";

const codesOf = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));

/** Tries everything. */
function slowly(tokens: readonly WildToken[], text: readonly number[]): boolean {
  const [token, ...rest] = tokens;
  if (token === undefined) return text.length === 0;
  if (token === "run") return slowly(rest, text) || (text.length > 0 && slowly(tokens, text.slice(1)));
  const [code] = text;
  if (code === undefined) return false;
  const fits =
    token === "one" ||
    (typeof token === "number"
      ? token === code
      : token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated);
  return fits && slowly(rest, text.slice(1));
}

const code = fc.integer({ min: 97, max: 100 });
const wildToken: fc.Arbitrary<WildToken> = fc.oneof(
  fc.constant("run" as const),
  fc.constant("one" as const),
  code,
  code,
  fc.record({ negated: fc.boolean(), ranges: fc.array(fc.tuple(code, code), { maxLength: 2 }) }),
);

describe("wildcards", () => {
  it("match what trying everything matches", () => {
    fc.assert(
      fc.property(fc.array(wildToken, { maxLength: 8 }), fc.array(code, { maxLength: 10 }), (tokens, text) => {
        expect(compileWildcard(tokens)(text)).toBe(slowly(tokens, text));
      }),
      { numRuns: 3000 },
    );
  });

  it("match pieces longer than a machine word", () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 100 }), fc.integer({ min: 0, max: 70 }), (length, before) => {
        const piece: WildToken[] = ["run", ...Array.from({ length }, (_, i) => (i % 3 === 0 ? "one" : 97)), "run", 98];
        const text = codesOf(`${"c".repeat(before)}${"a".repeat(length)}b`);
        expect(compileWildcard(piece)(text)).toBe(true);
        expect(compileWildcard(piece)(codesOf(`a${"b".padEnd(length - 1, "a")}b`))).toBe(false);
      }),
    );
  });

  it.each<[string, WildToken[]]>([
    ["a text that almost matches everywhere", ["run", ...codesOf("a".repeat(1000)), ...codesOf("b"), "run", 97]],
    ["many runs", [...codesOf("a".repeat(500)).flatMap((one) => ["run" as const, one]), "run", 98, "run"]],
    ["many places", ["run", ...codesOf("a".repeat(499)).flatMap((one) => [one, "one" as const]), 98, "run"]],
    [
      "many classes",
      ["run", ...Array.from({ length: 999 }, () => ({ negated: false, ranges: [[97, 122]] }) as const), 48, "run"],
    ],
  ])("read each character of a text a few times at most: %s", (_, tokens) => {
    const length = 65_536;
    let reads = 0;
    const text = new Proxy(new Uint16Array(length).fill(97), {
      get: (target, key) => {
        if (key === "length") return length;
        reads += 1;
        return target[Number(key)];
      },
    });
    expect(compileWildcard(tokens)(text)).toBe(false);
    expect(reads).toBeLessThan(3 * (length + tokens.length));
  });
});
