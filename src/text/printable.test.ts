import { array, assert, constantFrom, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { isQuotable, message, oneLine, printable, visibleJson } from "./printable.ts";

/** Whatever a terminal would obey, hide or reorder. */
const hostile: readonly [string, string, string][] = [
  ["colours", "\u001B[31mred\u001B[0m", "\\u{1b}[31mred\\u{1b}[0m"],
  ["a bell and a title", "\u001B]0;x\u0007", "\\u{1b}]0;x\\u{7}"],
  ["a new line", "a\r\nb", "a\\u{d}\\u{a}b"],
  ["C1 controls", "\u009B2J", "\\u{9b}2J"],
  ["bidi overrides", "\u202Egpj.exe\u2066", "\\u{202e}gpj.exe\\u{2066}"],
  ["what cannot be seen", "a\u200Bb\u{E0041}\u3164", "a\\u{200b}b\\u{e0041}\\u{3164}"],
  ["half a surrogate pair", "\uD800", "\\u{d800}"],
  ["line separators", "\u2028\u2029", "\\u{2028}\\u{2029}"],
  ["DEL and NUL", "\u007F\0", "\\u{7f}\\u{0}"],
];
const obeyed = /[\p{C}\p{Zl}\p{Zp}]/u;
const anyText = array(
  constantFrom(...hostile.map(([, text]) => text), "é", "😀", " ", "\n", "a", '"', "\\", ": ", "# "),
  {
    maxLength: 30,
  },
).map((parts) => parts.join(""));

describe("printable", () => {
  it.each<[string, string, string]>([
    ["a tag", "v1.0.0+build_1", "v1.0.0+build_1"],
    ["other scripts", "Größe 大小 é 😀", "Größe 大小 é 😀"],
    ...hostile,
  ])("shows %s", (_, text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it.each([
    ["x".repeat(200), 120, `${"x".repeat(120)}…`],
    ["abcdef", 3, "abc…"],
    ["ab😀", 3, "ab…"],
    ["ab\u001Bcd", 5, "ab…"],
    ["abc", 3, "abc"],
  ])("cuts %j after %d characters", (text, max, expected) => {
    expect(printable(text, max)).toBe(expected);
  });

  it.each([
    ["a b", true],
    ["", false],
    ["a\nb", false],
    ["x".repeat(256), true],
    ["x".repeat(257), false],
  ])("%j can be quoted: %s", (text, quotable) => {
    expect(isQuotable(text)).toBe(quotable);
  });

  it("makes one line of several", () => {
    expect(oneLine(" a\n  b\t c \n")).toBe("a b c");
  });
});

describe("message", () => {
  it("keeps its lines and escapes the rest", () => {
    for (const [name, text, expected] of hostile)
      expect(message(`first\n${text}`, 1000)).toBe(`first\n${name === "a new line" ? "a\\u{d}\nb" : expected}`);
  });

  it("is cut in the middle, so that what happened and what to do stay", () => {
    const cut = message(`it failed: ${"é word ".repeat(1000)}; write this instead`, 200);
    expect(cut).toMatch(/^it failed: é word .* \[…\] .*; write this instead$/);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(200);
  });

  it("shows the ends of a value without an end", () => {
    const cut = message(`layer ${"A".repeat(3_000_000)}z is too large; remove it`, 32_768);
    expect(cut).toMatch(/^layer A+ \[…\] A+z is too large; remove it$/);
    expect(cut.length).toBeLessThan(400);
  });

  it("is soon made of whatever is long", () => {
    const start = performance.now();
    for (const unit of ["a", "a ", "\u001B", "é", "x".repeat(1023) + " "])
      expect(Buffer.byteLength(message(unit.repeat(3_000_000 / unit.length), 1024))).toBeLessThanOrEqual(1024);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("is whole characters that a terminal only shows, of a bounded size", () => {
    assert(
      property(anyText, string({ unit: "binary", maxLength: 200 }), (hostileText, other) => {
        const cut = message(hostileText + other.replaceAll("\uFFFD", "") + hostileText, 64);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(64);
        expect(cut.replaceAll("\n", "")).not.toMatch(obeyed);
        expect(cut).not.toContain("\uFFFD");
      }),
    );
  });
});

it("JSON is the same to a program, and a terminal only shows it", () => {
  assert(
    property(anyText, anyText, (key, text) => {
      const value = { [`k${key}`]: text, list: [text, { text }] };
      const json = visibleJson(JSON.stringify(value, null, 2));
      expect(json.replaceAll("\n", "")).not.toMatch(obeyed);
      expect(JSON.parse(json)).toEqual(value);
    }),
  );
});
