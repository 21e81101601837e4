import { describe, expect, it } from "vitest";
import { formatTable, plain } from "./terminal.ts";

describe("plain", () => {
  it.each([
    ["a tag", "v1.0.0+build_1", "v1.0.0+build_1"],
    ["other scripts", "Größe 大小 é", "Größe 大小 é"],
    ["colours", "\u001B[31mred\u001B[0m", "\\u{1b}[31mred\\u{1b}[0m"],
    ["a new line", "a\r\nb", "a\\u{d}\\u{a}b"],
    ["C1 controls", "\u009B2J", "\\u{9b}2J"],
    ["bidi overrides", "\u202Egpj.exe\u2066", "\\u{202e}gpj.exe\\u{2066}"],
    ["what cannot be seen", "a\u200Bb\u{E0041}", "a\\u{200b}b\\u{e0041}"],
    ["half a surrogate pair", "\uD800", "\\u{d800}"],
    ["line separators", "\u2028\u2029", "\\u{2028}\\u{2029}"],
    ["DEL and NUL", "\u007F\0", "\\u{7f}\\u{0}"],
  ])("shows %s", (_, text, expected) => {
    expect(plain(text)).toBe(expected);
  });
});

describe("formatTable", () => {
  it("aligns columns and leaves nothing behind the last", () => {
    expect(
      formatTable([
        ["NAME", "READY"],
        ["a-long-name", ""],
        ["b", "True"],
      ]),
    ).toBe("NAME         READY\na-long-name\nb            True\n");
  });

  it("counts what it prints, not what it was given", () => {
    expect(
      formatTable([
        ["\u001B", "x"],
        ["aa", "x"],
      ]),
    ).toBe("\\u{1b}  x\naa      x\n");
  });

  it("is empty without rows", () => {
    expect(formatTable([])).toBe("");
  });
});
