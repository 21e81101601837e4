import { describe, expect, it } from "vitest";
import { extract, matches, parseExtract, parsePattern } from "./pattern.ts";

function value(pattern: string, template: string, tag: string): string | undefined {
  const parsed = parsePattern(pattern, "pattern");
  return extract(tag, parsed, parseExtract(template, parsed, "extract"));
}

describe("parsePattern", () => {
  it.each([
    ["^main-(?P<ts>.*)", "main-1", true],
    ["^main-(?<ts>.*)", "main-1", true],
    [".*-rc.*", "1.0.0-rc.1", true],
    ["rc", "1.0.0-rc.1", true],
    ["^rc", "1.0.0-rc.1", false],
    ["(?i)RC", "1.0.0-rc.1", true],
    ["", "anything", true],
    ["^[[:digit:]]+$", "123", true],
    ["\\pN", "x1", true],
    ["^\\x{41}$", "A", true],
    ["^1\\.2\\.[0-9]{1,3}$", "1.2.30", true],
  ])("%s on %s: %s", (pattern, tag, found) => {
    expect(matches(parsePattern(pattern, "pattern"), tag)).toBe(found);
  });

  it.each([
    ["(a", "missing closing )"],
    ["[z-a]", '"z-a" at character 2'],
    ["main-a**", '"**" at character 7'],
    ["^(?=main)", "look-around"],
    ["(?<!rc)$", "look-around"],
    ["(a)\\1", "back-references"],
    ["(?P<n>a)(?P<n>b)", "duplicate"],
    ["a{1001}", "repeat"],
    ["(?>a)", "atomic"],
  ])("refuses %s and says %s", (pattern, words) => {
    const error = failure(() => parsePattern(pattern, "spec.ref.semverFilter"));
    expect(error).toMatchObject({ code: "InvalidPattern" });
    expect(error.message).toContain(words);
    expect(error.message).toContain("spec.ref.semverFilter");
  });

  it("has a cap on length and on what repetitions expand to", () => {
    expect(failure(() => parsePattern("a".repeat(1025), "f"))).toMatchObject({ code: "InvalidPattern" });
    expect(failure(() => parsePattern("(.{0,100}x){10}", "f"))).toMatchObject({ code: "InvalidPattern" });
    expect(matches(parsePattern("^[a-z]{1,128}$", "f"), "b")).toBe(true);
  });

  it.each(["(a+)+$", "(a|aa)+$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*.*.*.*.*)=", "(a?){30}a{30}$"])(
    "%s takes linear time",
    (pattern) => {
      const parsed = parsePattern(pattern, "pattern");
      const started = performance.now();
      for (let i = 0; i < 1000; i += 1) matches(parsed, `${"a".repeat(120)}!${i}`);
      expect(performance.now() - started).toBeLessThan(1500);
    },
  );
});

describe("extract", () => {
  it.each([
    ["^main-[a-f0-9]+-(?P<ts>.*)", "$ts", "main-abc-170", "170"],
    ["^main-[a-f0-9]+-(?P<ts>.*)", "${ts}", "main-abc-170", "170"],
    ["^(?<major>\\d+)\\.(\\d+)", "${major}.$2.0", "1.25-alpine", "1.25.0"],
    ["(\\d+)-(\\d+)", "$2$1", "10-20", "2010"],
    ["(\\d+)", "${1}0", "v7", "70"],
    ["rc", "$0", "1.0-rc.1", "rc"],
    ["rc", "$$1 costs $", "1.0-rc.1", "$1 costs $"],
    ["rc", "${ $- ${}", "1.0-rc.1", "${ $- ${}"],
    ["a(b)?", "[$1]", "a", "[]"],
  ])("%s with %s on %s gives %s", (pattern, template, tag, expected) => {
    expect(value(pattern, template, tag)).toBe(expected);
  });

  it("leaves out what does not match", () => {
    expect(value("^main-(?P<ts>.*)", "$ts", "dev-1")).toBeUndefined();
  });

  it.each(["$tsx", "$1_", "${2}", "$01", "$99999999999"])("refuses %s, which names no group", (template) => {
    const error = failure(() => value("^main-(?P<ts>.*)", template, "main-1"));
    expect(error).toMatchObject({ code: "InvalidPattern" });
    expect(error.message).toContain("$0, $1, $ts");
  });
});

function failure(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}
