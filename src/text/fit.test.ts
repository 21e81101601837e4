import { array, assert, constantFrom, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { cutTo, fold, padTo, widthOf } from "./fit.ts";

describe("a line", () => {
  it.each([
    ["plain", 5],
    ["Größe", 5],
    ["大小", 4],
    ["e\u0301", 1],
    ["😀", 2],
  ])("%s is %d columns wide", (text, width) => {
    expect(widthOf(text)).toBe(width);
    expect(widthOf(padTo(text, 9))).toBe(9);
  });

  it("is cut to no more than the columns, and left alone without", () => {
    const text = array(constantFrom("a", "大", "😀", "é", " "), { maxLength: 40 }).map((parts) => parts.join(""));
    assert(
      property(text, integer({ min: 2, max: 50 }), (line, columns) => {
        const cut = cutTo(line, columns);
        expect(widthOf(cut)).toBeLessThanOrEqual(columns);
        expect(cutTo(line, undefined)).toBe(line);
        if (widthOf(line) <= columns) expect(cut).toBe(line);
        else expect(line.startsWith(cut.slice(0, -1))).toBe(true);
      }),
    );
  });
});

describe("fold", () => {
  it("keeps every word, and every line within the columns but for words that are longer", () => {
    const text = array(constantFrom("a", "word", "sha256:0123456789", "x".repeat(60), "\n"), { maxLength: 60 });
    assert(
      property(text, integer({ min: 20, max: 80 }), (words, columns) => {
        const line = words.join(" ");
        const folded = fold(line, columns);
        expect(folded.split(/\s+/)).toEqual(line.split(/\s+/));
        for (const part of folded.split("\n")) if (/\S \S/.test(part)) expect(part.length).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it("goes on below the text of its line", () => {
    expect(fold("  --flag   one two three four", 22)).toBe("  --flag   one two\n           three four");
    expect(fold("  one two three four five", 14)).toBe("  one two\n  three four\n  five");
    expect(fold("as it is", undefined)).toBe("as it is");
  });
});
