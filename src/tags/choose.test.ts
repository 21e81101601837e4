import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { chooseReference, chooseTag } from "./choose.ts";
import type { ListRule, TagQuery } from "./rule.ts";
import { parseTagRule } from "./rule.ts";

const context = { repository: "registry.example/app", signal: new AbortController().signal };

function listRule(query: TagQuery): ListRule {
  const rule = parseTagRule(query);
  if (rule.kind !== "list") throw new Error("this query lists nothing");
  return rule;
}

async function* pagesOf(tags: readonly string[], size = 3): AsyncGenerator<readonly string[]> {
  for (let from = 0; from < tags.length; from += size) yield tags.slice(from, from + size);
}

function choose(query: TagQuery, tags: readonly string[]): Promise<string> {
  return chooseTag(pagesOf(tags), listRule(query), context);
}

async function refusal(query: TagQuery, tags: readonly string[]): Promise<CodedError> {
  const error: unknown = await choose(query, tags).catch((error: unknown) => error);
  if (!(error instanceof CodedError)) throw new Error(`expected a refusal, got ${String(error)}`);
  expect(error.code).toBe("NoTagMatch");
  return error;
}

describe("ref.semver, as source-controller chooses", () => {
  const tags = [
    "latest",
    "1.0.0",
    "v1.10.0",
    "1.9.0",
    "1.11.0-rc.1",
    "2.0.0",
    "1.99",
    "20240101",
    "not/a/tag",
    "x".repeat(200),
  ];

  it.each([
    ["1.x", undefined, "v1.10.0"],
    ["*", undefined, "2.0.0"],
    [">=1.0.0-0 <2.0.0", undefined, "1.11.0-rc.1"],
    ["1.x-0", ".*-rc.*", "1.11.0-rc.1"],
    ["1.x", "^[0-9]", "1.9.0"],
    ["~1.0", undefined, "1.0.0"],
  ])("%s filtered by %s is %s", async (semver, semverFilter, tag) => {
    expect(await choose({ semver, semverFilter }, tags)).toBe(tag);
    expect(await choose({ semver, semverFilter }, tags.toReversed())).toBe(tag);
  });

  it("takes the first of equal versions, whatever the order of the list", async () => {
    const equal = ["1.2.0", "01.2.0", "v1.2.0"];
    expect(await choose({ semver: "1.x" }, equal)).toBe("01.2.0");
    expect(await choose({ semver: "1.x" }, equal.toReversed())).toBe("01.2.0");
  });

  it("reads _ as the + of a chart's build metadata", async () => {
    const charts = ["1.2.3_build.5", "1.2.2", "1.2.4_7"];
    expect(await choose({ semver: "1.x", chart: true }, charts)).toBe("1.2.4_7");
    expect(await choose({ semver: "1.x" }, charts)).toBe("1.2.2");
    expect(await choose({ semver: "1.x" }, ["1.2.3_build.5", "latest", "1.2.4_7", "2.0.0"])).toBe("1.2.4_7");
  });
});

describe("policies, as Flux's ImagePolicy chooses", () => {
  const builds = ["main-abc-170", "main-def-1699", "main-0aa-171", "dev-fff-9000", "latest"];
  const filterTags = { pattern: "^main-[a-f0-9]+-(?P<ts>.*)", extract: "$ts" };

  it.each([
    [{ filterTags, policy: { numerical: { order: "asc" } } }, builds, "main-def-1699"],
    [{ filterTags, policy: { numerical: { order: "desc" } } }, builds, "main-abc-170"],
    [{ filterTags, policy: { alphabetical: {} } }, builds, "main-0aa-171"],
    [{ filterTags: { pattern: "^main-" }, policy: { alphabetical: {} } }, builds, "main-def-1699"],
    [{ policy: { alphabetical: { order: "desc" } } }, builds, "dev-fff-9000"],
    [{ policy: { semver: { range: "^1.x-0" } } }, ["1.0.0", "1.1.0-rc.1", "2.0.0", "1.1"], "1.1.0-rc.1"],
    [
      { filterTags: { pattern: "^app-(.*)$", extract: "$1" }, policy: { semver: { range: "1.x" } } },
      ["app-1.0.0", "app-1.2.0", "1.9.0"],
      "app-1.2.0",
    ],
    [{ policy: { numerical: {} } }, ["9", "10", "9.5"], "10"],
  ])("%j", async (query, tags, tag) => {
    expect(await choose(query, tags)).toBe(tag);
    expect(await choose(query, tags.toReversed())).toBe(tag);
  });

  it("takes the last of equal values, whatever the order of the list", async () => {
    const equal = ["main-aaa-7", "main-ccc-7", "main-bbb-7"];
    expect(await choose({ filterTags, policy: { numerical: {} } }, equal)).toBe("main-ccc-7");
    expect(await choose({ filterTags, policy: { numerical: { order: "desc" } } }, equal.toReversed())).toBe(
      "main-ccc-7",
    );
  });

  it("does not pass over a tag that a numerical policy cannot order", async () => {
    expect((await refusal({ policy: { numerical: {} } }, ["1", "latest", "2"])).message).toContain('"latest"');
  });
});

describe("NoTagMatch", () => {
  it("names the nearest versions and a range that takes one of them", async () => {
    const error = await refusal({ semver: ">=3.0.0" }, [
      "1.0.0",
      "2.1.0",
      "latest",
      "2.0.0",
      "1.5.0",
      "1.6.0",
      "1.7.0",
    ]);
    expect(error.message).toContain("7 tags");
    expect(error.message).toContain("2.1.0, 2.0.0, 1.7.0, 1.6.0, 1.5.0");
    expect(error.details).toMatchObject({ tags: 7, nearest: ["2.1.0", "2.0.0", "1.7.0", "1.6.0", "1.5.0"] });
    expect(await choose({ semver: suggestedRange(error) }, ["1.0.0", "2.1.0"])).toBe("2.1.0");
  });

  it("says when only pre-releases would match, and the range that takes them", async () => {
    const tags = ["1.0.0", "2.0.0-rc.1", "2.1.0-rc.2", "3.0.0-rc.1"];
    const error = await refusal({ semver: ">=2.0.0 <3.0.0" }, tags);
    expect(error.message).toContain("2.1.0-rc.2");
    expect(await choose({ semver: suggestedRange(error) }, tags)).toBe("2.1.0-rc.2");
  });

  it("says so for a policy's range too", async () => {
    const error = await refusal({ policy: { semver: { range: "^2.0.0" } } }, ["2.1.0-rc.2"]);
    expect(error.details?.["suggestion"]).toBe('ref: {policy: {semver: {range: "^2.0.0-0"}}}');
  });

  it("offers a moving tag where there are no versions", async () => {
    expect((await refusal({ semver: "1.x" }, ["latest", "v1.2"])).details?.["suggestion"]).toBe('ref: {tag: "v1.2"}');
    expect((await refusal({ semver: "1.x" }, ["latest", "main"])).details?.["suggestion"]).toBeUndefined();
  });

  it.each<readonly [TagQuery, readonly string[], string]>([
    [{ semver: "1.x" }, [], "has no tags"],
    [
      { semver: "1.x", semverFilter: "-rc" },
      ["1.0.0", "1.1.0"],
      'matches spec.ref.semverFilter "-rc"; among them are 1.0.0, 1.1.0',
    ],
    [
      { policy: { numerical: {} }, filterTags: { pattern: "^x" } },
      ["a", "b", "c", "d", "e", "f"],
      "spec.ref.filterTags.pattern",
    ],
    [{ policy: { alphabetical: {} } }, ["not/a/tag"], "The only tag of registry.example/app is not a valid name"],
    [{ semver: "2.x" }, ["1.0.0"], 'The only tag of registry.example/app is not a version in the range "2.x"'],
    [
      { semver: "1.x", semverFilter: "-rc" },
      ["1.0.0"],
      'The only tag of registry.example/app, 1.0.0, does not match spec.ref.semverFilter "-rc"',
    ],
    [{ semver: "2.x", semverFilter: "^1" }, ["1.0.0", "2.0.0"], "1 passes spec.ref.semverFilter"],
  ])("%j on %j: %s", async (query, tags, words) => {
    const { message } = await refusal(query, tags);
    expect(message).toContain(words);
    expect(message).toContain("registry.example/app");
  });
});

function suggestedRange(error: CodedError): string {
  const range = /semver: "([^"]*)"/.exec(String(error.details?.["suggestion"]))?.[1];
  if (range === undefined) throw new Error(`no range is suggested in: ${error.message}`);
  return range;
}

describe("chooseReference", () => {
  const digest = `sha256:${"ab".repeat(32)}`;

  it.each([
    [{ tag: "1.0.0" }, { tag: "1.0.0" }],
    [{ digest }, { digest }],
    [{ tag: `1.0.0@${digest}` }, { tag: "1.0.0", digest }],
    [{}, { tag: "latest" }],
  ])("%j never lists", async (query, chosen) => {
    const repository = {
      name: "r",
      tags: () => {
        throw new Error("listed");
      },
    };
    expect(await chooseReference(parseTagRule(query), repository, context.signal)).toEqual(chosen);
  });

  it("lists for a range", async () => {
    const repository = { name: "r", tags: () => pagesOf(["1.0.0", "1.1.0"]) };
    expect(await chooseReference(parseTagRule({ semver: "1.x" }), repository, context.signal)).toEqual({
      tag: "1.1.0",
    });
  });

  it("passes the listing's failure on", async () => {
    async function* failing(): AsyncGenerator<readonly string[]> {
      yield ["1.0.0"];
      throw new CodedError("Unauthorized", "no");
    }
    const chosen = chooseReference(parseTagRule({ semver: "1.x" }), { name: "r", tags: failing }, context.signal);
    await expect(chosen).rejects.toMatchObject({ code: "Unauthorized" });
  });
});

describe("100,000 tags", () => {
  const many = Array.from(
    { length: 100_000 },
    (_, i) => `1.${i % 1000}.${Math.floor(i / 1000)}${i % 7 === 0 ? "-rc.1" : ""}`,
  );

  it.each([
    ["a range", { semver: ">=1.0.0 <1.500.0" }, "1.499.99"],
    ["a range that nothing matches", { semver: ">=2.0.0" }, undefined],
    [
      "a filter and a number",
      { filterTags: { pattern: "^1\\.(?P<n>\\d+)\\.0$", extract: "$n" }, policy: { numerical: {} } },
      "1.999.0",
    ],
  ])("%s", async (_, query, tag) => {
    const started = performance.now();
    const chosen = await chooseTag(pagesOf(many, 1000), listRule(query), context).catch((error: unknown) =>
      error instanceof CodedError ? undefined : String(error),
    );
    expect(chosen).toBe(tag);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("gives other work its turn, and stops when it is told to", async () => {
    const controller = new AbortController();
    const costly = listRule({
      policy: { alphabetical: {} },
      filterTags: { pattern: "(.{0,20}a){20}$", extract: "$1" },
    });
    const long = Array.from({ length: 100_000 }, (_, i) => `${"abcd".repeat(30)}${i}`);
    const choosing = chooseTag(pagesOf(long, 100_000), costly, { repository: "r", signal: controller.signal });
    const started = performance.now();
    await Promise.race([choosing, setTimeout(20)]);
    expect(performance.now() - started).toBeLessThan(500);
    controller.abort();
    await expect(choosing).rejects.toMatchObject({ name: "AbortError" });
  });
});
