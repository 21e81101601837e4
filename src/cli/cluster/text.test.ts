import { describe, expect, it } from "vitest";
import { ageOf, indented, shortRevision } from "./text.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const before = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

describe("ageOf", () => {
  it.each([
    [before(0), "0s"],
    [before(119), "119s"],
    [before(120), "2m"],
    [before(7199), "119m"],
    [before(7200), "2h"],
    [before(48 * 3600 - 1), "47h"],
    [before(48 * 3600), "2d"],
    // Clocks of servers may be ahead.
    [before(-30), "0s"],
    ["yesterday", ""],
    [undefined, ""],
  ])("of %s is %j", (time, expected) => {
    expect(ageOf(time, now)).toBe(expected);
  });
});

describe("texts", () => {
  it.each([
    [`1.4.0@sha256:${"a".repeat(64)}`, "1.4.0@sha256:aaaaaaaa"],
    [`sha256:${"b".repeat(64)}`, "sha256:bbbbbbbb"],
    [undefined, ""],
  ])("shorten the revision %s", (revision, expected) => {
    expect(shortRevision(revision)).toBe(expected);
  });

  it("are indented line by line, without control characters", () => {
    expect(indented("a\n\u001Bb\n")).toBe("  a\n  \\u{1b}b\n");
  });
});
