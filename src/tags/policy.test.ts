import { describe, expect, it } from "vitest";
import { parsePattern } from "./pattern.ts";
import type { Policy, Rank, TagFilter } from "./policy.ts";
import { compareRanks, rankOf, valueOf } from "./policy.ts";
import { parseRange } from "./range.ts";
import { parseTagRule } from "./rule.ts";

function rank(value: string, policy: Policy): Rank {
  const ranked = rankOf(value, value, policy);
  if (ranked === undefined) throw new Error(`${value} has no rank`);
  return ranked;
}

const numerical: Policy = { kind: "numerical", order: "asc" };

describe("rankOf", () => {
  it.each([
    ["2", "10"],
    ["-5", "+1"],
    ["1.5", "1.25e1"],
    [".5", "1."],
    ["1700000000123456788", "1700000000123456789"],
    ["9007199254740993", "9007199254740993.5e3"],
    ["-9007199254740994", "-9007199254740993"],
  ])("numerical: %s comes before %s", (smaller, greater) => {
    expect(compareRanks(rank(greater, numerical), rank(smaller, numerical))).toBeGreaterThan(0);
    expect(
      compareRanks(
        rank(greater, { kind: "numerical", order: "desc" }),
        rank(smaller, { kind: "numerical", order: "desc" }),
      ),
    ).toBeLessThan(0);
  });

  it.each([
    ["1.0", "1"],
    ["007", "7"],
    ["1e2", "100"],
    ["-0", "0"],
  ])("numerical: %s equals %s", (a, b) => {
    expect(compareRanks(rank(a, numerical), rank(b, numerical))).toBe(0);
  });

  it.each(["latest", "", "1.2.3", "0x10", "Infinity", "NaN", "1e999", "1_000", " 1"])(
    "numerical: %j is refused, not skipped",
    (value) => {
      expect(() => rankOf("some-tag", value, numerical)).toThrow(expect.objectContaining({ code: "NoTagMatch" }));
    },
  );

  it("alphabetical: compares by bytes", () => {
    const policy: Policy = { kind: "alphabetical", order: "asc" };
    const sorted = ["a", "B", "10", "9", "a1", "_"].sort((a, b) => compareRanks(rank(a, policy), rank(b, policy)));
    expect(sorted).toEqual(["10", "9", "B", "_", "a", "a1"]);
  });

  it("semver: leaves out what is not a version or not in the range", () => {
    const policy: Policy = { kind: "semver", range: parseRange("^1.x-0") };
    expect(["1.2.3", "1.3.0-rc.1", "v1.2.3"].every((value) => rankOf(value, value, policy) !== undefined)).toBe(true);
    expect(["2.0.0", "latest", "1.2", "1"].map((value) => rankOf(value, value, policy))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("valueOf", () => {
  const filter: TagFilter = { pattern: parsePattern("^main-(\\d+)", "pattern") };

  it("is the tag itself without a template or a filter", () => {
    expect(valueOf("main-7", filter)).toBe("main-7");
    expect(valueOf("main-7", undefined)).toBe("main-7");
    expect(valueOf("dev-7", filter)).toBeUndefined();
  });

  it("is what the template takes", () => {
    expect(valueOf("main-7-x", { ...filter, extractor: ["n", 1] })).toBe("n7");
  });
});

describe("parseTagRule", () => {
  const digest = `sha256:${"ab".repeat(32)}`;

  it.each([
    [{}, { kind: "fixed", tag: "latest" }],
    [{ tag: "" }, { kind: "fixed", tag: "latest" }],
    [{ tag: "1.0.0" }, { kind: "fixed", tag: "1.0.0" }],
    [{ tag: `1.0.0@${digest}` }, { kind: "fixed", tag: "1.0.0", digest }],
    [
      { digest, semver: "1.x", tag: "1.0.0" },
      { kind: "fixed", digest },
    ],
    [
      { semver: "1.x", tag: "1.0.0" },
      { kind: "list", origin: "semver", chart: false },
    ],
    [
      { semver: "1.x", semverFilter: "-rc", chart: true },
      { kind: "list", origin: "semver", chart: true, filter: { pattern: { source: "-rc" } } },
    ],
    [
      { policy: { numerical: {} }, tag: "1.0.0" },
      { kind: "list", origin: "policy", policy: { kind: "numerical", order: "asc" } },
    ],
    [{ policy: { alphabetical: { order: "DESC" } } }, { policy: { kind: "alphabetical", order: "desc" } }],
    [
      { policy: { semver: { range: "^1.x-0" } }, filterTags: { pattern: "^v(.*)", extract: "$1" } },
      { filter: { extractor: [1] } },
    ],
    [{ policy: { numerical: {} }, filterTags: {} }, { filter: { pattern: { source: "" } } }],
  ])("%j", (query, rule) => {
    expect(parseTagRule(query)).toMatchObject(rule);
  });

  it.each([
    [{ semver: "1.x", policy: { numerical: {} } }, "InvalidSpec"],
    [{ filterTags: { pattern: "a" } }, "InvalidSpec"],
    [{ filterTags: { pattern: "a" }, semver: "1.x" }, "InvalidSpec"],
    [{ policy: {} }, "InvalidSpec"],
    [{ policy: { numerical: {}, alphabetical: {} } }, "InvalidSpec"],
    [{ policy: { numerical: { order: "up" } } }, "InvalidSpec"],
    [{ policy: { semver: { range: "newest" } } }, "InvalidSpec"],
    [{ semver: "newest" }, "InvalidSpec"],
    [{ semver: "1.x", semverFilter: "(" }, "InvalidPattern"],
    [{ policy: { numerical: {} }, filterTags: { pattern: "(" } }, "InvalidPattern"],
    [{ policy: { numerical: {} }, filterTags: { pattern: "a", extract: "$ts" } }, "InvalidPattern"],
    [{ tag: "-x" }, "InvalidReference"],
    [{ tag: "a/b" }, "InvalidReference"],
    [{ tag: "a".repeat(129) }, "InvalidReference"],
    [{ tag: `@${digest}` }, "InvalidReference"],
    [{ tag: "1.0.0@sha256:12" }, "InvalidDigest"],
    [{ digest: "1.0.0" }, "InvalidDigest"],
  ])("%j is refused with %s", (query, code) => {
    expect(() => parseTagRule(query)).toThrow(expect.objectContaining({ code }));
  });
});
