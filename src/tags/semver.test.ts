import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { inRange, parseRange, withPrereleases } from "./range.ts";
import type { Version } from "./semver.ts";
import { compareVersions, parseTagVersion, parseVersion } from "./semver.ts";

interface Expected {
  readonly versions: readonly string[];
  readonly valid: readonly string[];
  readonly ranges: readonly { readonly range: string; readonly matches?: readonly string[]; readonly error?: string }[];
}

const expected = JSON.parse(
  readFileSync(new URL("../testing/fixtures/expected/semver.json", import.meta.url), "utf8"),
) as Expected;

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is not a version`);
  return parsed;
}

describe("what Masterminds/semver answers", () => {
  it("reads the same versions", () => {
    expect(expected.versions.filter((text) => parseVersion(text) !== undefined)).toEqual(expected.valid);
  });

  it.each(expected.ranges.filter((row) => row.error === undefined))(
    "takes the same versions for $range",
    ({ range, matches }) => {
      const parsed = parseRange(range);
      expect(expected.valid.filter((text) => inRange(version(text), parsed))).toEqual(matches ?? []);
    },
  );

  it.each(expected.ranges.filter((row) => row.error !== undefined))("refuses $range", ({ range }) => {
    expect(() => parseRange(range)).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  });
});

describe("parseVersion", () => {
  it.each([
    ["v1", { major: 1, minor: 0, patch: 0, prerelease: "" }],
    ["1.2", { major: 1, minor: 2, patch: 0, prerelease: "" }],
    ["01.2.3", { major: 1, minor: 2, patch: 3, prerelease: "" }],
    ["1.2.3-rc.1+build.5", { major: 1, minor: 2, patch: 3, prerelease: "rc.1" }],
    ["1-alpha-1", { major: 1, minor: 0, patch: 0, prerelease: "alpha-1" }],
    ["1.2.18446744073709551615", { major: 1, minor: 2, patch: 18446744073709551615n, prerelease: "" }],
    ["0000000000000000001.0.0", { major: 1, minor: 0, patch: 0, prerelease: "" }],
  ])("%s", (text, parsed) => {
    expect(parseVersion(text)).toEqual(parsed);
  });

  it.each([
    "",
    "V1.2.3",
    "1.2.3.4",
    "1.2.3-",
    "1.2.3-01",
    "1.2.3-a..b",
    "1.2.3+",
    "1.2.3_b",
    " 1.2.3",
    "1.2.3\n",
    "1.2.18446744073709551616",
    `1.2.3-${"a".repeat(256)}`,
  ])("refuses %j", (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });

  it("wants three numbers in a tag, as Flux does", () => {
    expect(["1", "v1.2", "20240101", "1-rc.1"].map(parseTagVersion)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(parseTagVersion("v1.2.3")).toEqual(version("1.2.3"));
  });
});

describe("compareVersions", () => {
  it("orders as semver.org section 11 does", () => {
    const ascending = [
      "0.9.9",
      "1.0.0-0",
      "1.0.0-9",
      "1.0.0-10",
      "1.0.0-99999999999999999998",
      "1.0.0-ALPHA",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.9007199254740992",
      "1.0.9007199254740993",
      "1.1.0",
      "2.0.0",
    ];
    const shuffled = ascending.toReversed().map((text) => ({ text, version: version(text) }));
    expect(shuffled.sort((a, b) => compareVersions(a.version, b.version)).map(({ text }) => text)).toEqual(ascending);
  });

  it.each([
    ["1.0.0+a", "1.0.0+b"],
    ["v1", "1.0.0"],
    ["1.2", "01.2.0"],
  ])("%s equals %s", (a, b) => {
    expect(compareVersions(version(a), version(b))).toBe(0);
  });
});

/** Rows from the rules that Masterminds/semver documents, beyond those of the fixture. */
describe("ranges", () => {
  it.each([
    [">= 1.2 < 3.0.0 || >= 4.2.3", ["1.2.0", "2.9.9", "4.2.3"], ["1.1.9", "3.0.0", "4.2.2"]],
    ["1.2 - 1.4.5", ["1.2.0", "1.4.5"], ["1.1.9", "1.4.6"]],
    ["2.3.4 - 4.5", ["2.3.4", "4.5.9"], ["2.3.3", "4.6.0"]],
    ["1.2-1.4.5", ["1.2.0-1.4.5", "1.2.7"], ["1.3.0", "1.2.0-1.4.4"]],
    [">= 1.2.x", ["1.2.0", "9.0.0"], ["1.1.9"]],
    ["<= 2.x", ["2.9.9", "0.0.1"], ["3.0.0"]],
    [">11", ["12.0.0"], ["11.1.0"]],
    [">11.1", ["11.2.0"], ["11.1.9"]],
    ["!=1.x", ["2.0.0"], ["1.9.9", "1.0.0-rc.1"]],
    ["!=1.2.x", ["1.3.0", "2.2.0"], ["1.2.3"]],
    ["~0.0.0", ["0.0.0", "7.1.2"], ["7.1.2-rc.1"]],
    ["~*", ["7.1.2"], []],
    ["^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]],
    ["^0", ["0.9.9"], ["1.0.0"]],
    [">=1.2.3-BETA", ["1.2.3-alpha"], ["1.2.3-ALPHA"]],
    [">=1.0.0-0", ["1.0.0-alpha", "1.2.3-rc.1"], ["0.9.0-rc.1"]],
    [">=1.0.0-0,<2.0.0", ["1.5.0-rc.1", "2.0.0-rc.1"], ["2.0.0"]],
    [">=1.0.0-0 || ^3", ["3.1.0-rc.1"], []],
    ["=> 1, =< 2", ["1.0.0", "2.9.9"], ["3.0.0"]],
    ["1.2.3 || v2.0.0", ["1.2.3", "2.0.0"], ["1.2.4"]],
    ["1.2.3+build", ["1.2.3", "1.2.3+other"], []],
  ])("%s", (text, inside, outside) => {
    const range = parseRange(text);
    expect(inside.filter((text) => !inRange(version(text), range))).toEqual([]);
    expect(outside.filter((text) => inRange(version(text), range))).toEqual([]);
  });

  it.each([
    "",
    "  ",
    "latest",
    ">=1.0.0 <",
    "1.2.3.4",
    ">>1",
    "1.0.0,",
    "1.0.0,,2.0.0",
    "1.0.0 ||",
    "1.x-01",
    "1y",
    ">=1<2",
    "^1.0 - 2.0",
    "v",
    "=>=1",
    "\u00a01.0.0",
    "1.0.0;2.0.0",
  ])("%j cannot be read", (text) => {
    expect(() => parseRange(text)).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  });

  it("has caps", () => {
    expect(() => parseRange("1".repeat(513))).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
    expect(() => parseRange(Array.from({ length: 33 }, () => "1").join("||"))).toThrow(
      expect.objectContaining({ code: "InvalidSpec" }),
    );
    expect(parseRange(Array.from({ length: 32 }, () => "1").join("||")).groups).toHaveLength(32);
  });

  it("reads a hostile range in no time", () => {
    const started = performance.now();
    for (const hostile of [
      " ".repeat(512),
      "1 ".repeat(256),
      `1-${"a-".repeat(250)}!`,
      `1-${"a.".repeat(250)}`,
      "1 - ".repeat(128),
    ]) {
      try {
        parseRange(hostile);
      } catch (error) {
        expect(codeOf(error)).toBe("InvalidSpec");
      }
    }
    expect(performance.now() - started).toBeLessThan(500);
  });

  it.each([
    [">=1.0.0 <2.0.0", ">=1.0.0-0 <2.0.0-0", "1.4.0-rc.1"],
    ["1.x", "1.x-0", "1.4.0-rc.1"],
    ["^1.2.3", "^1.2.3-0", "1.4.0-rc.1"],
    ["~1.4 || ~1.6", "~1.4-0 || ~1.6-0", "1.6.1-rc.1"],
    ["1.0 - 2.0.0", ">=1.0-0 <=2.0.0", "2.0.0-rc.1"],
    ["*", "*-0", "0.0.1-rc.1"],
    [">1.0.0 !=1.5.0", ">1.0.0-0 !=1.5.0", "1.4.0-rc.1"],
  ])("%s opens to pre-releases as %s", (text, opened, taken) => {
    const range = withPrereleases(parseRange(text));
    expect(range?.text).toBe(opened);
    expect(range !== undefined && inRange(version(taken), range)).toBe(true);
    expect(inRange(version(taken), parseRange(text))).toBe(false);
  });

  it("leaves an open range as it is", () => {
    expect(withPrereleases(parseRange("^1.0.0-0"))).toBeUndefined();
  });
});
