import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { chooseReference } from "./choose.ts";
import { parseTagRule, type TagQuery } from "./rule.ts";
import { surveyTags, type Survey } from "./survey.ts";

const { signal } = new AbortController();

const repositoryOf = (tags: readonly string[], size = 7) => ({
  name: "registry.example/app",
  async *tags(): AsyncGenerator<readonly string[]> {
    for (let from = 0; from < tags.length; from += size) yield tags.slice(from, from + size);
  },
});

const survey = async (query: TagQuery, tags: readonly string[], limit = 50): Promise<Survey> =>
  await surveyTags(repositoryOf(tags), parseTagRule(query), { limit, signal });

const tags = ["latest", "1.0.0", "1.2.0", "1.1.0", "1.3.0-rc.1", "2.0.0", "1.2", "main-7", "1.5.0_b", "not/a/tag"];

describe("why a tag is taken, and the others are not", () => {
  it.each<[string, TagQuery, string[]]>([
    [
      "a range",
      { semver: "1.x" },
      [
        "1.2.0 taken",
        "1.1.0 earlier",
        "1.0.0 earlier",
        "1.5.0_b charts-last",
        "1.3.0-rc.1 prerelease",
        "2.0.0 outside",
        "main-7 unversioned",
        "latest unversioned",
        "1.2 unversioned",
        "not/a/tag invalid",
      ],
    ],
    ["a chart", { semver: "1.x", chart: true }, ["1.5.0_b taken", "1.2.0 earlier"]],
    ["a filter", { semver: ">=1.0.0-0", semverFilter: "rc" }, ["1.3.0-rc.1 taken", "2.0.0 filtered"]],
    [
      "numbers",
      { policy: { numerical: {} }, filterTags: { pattern: "^main-(?P<n>[0-9]+)$", extract: "$n" } },
      ["main-7 taken", "2.0.0 filtered"],
    ],
    ["a tag", { tag: "1.1.0" }, ["1.1.0 taken", "2.0.0 other", "1.5.0_b other"]],
    ["nothing", {}, ["latest taken", "2.0.0 other"]],
  ])("by %s", async (_, query, expected) => {
    const { rows, total, refusal } = await survey(query, tags);
    const found = rows.map(({ tag, verdict }) => `${tag} ${verdict}`);
    if (query.tag === undefined && query.semver === "1.x" && !query.chart) expect(found).toEqual(expected);
    else expect(found.slice(0, 2)).toEqual(expected.slice(0, 2));
    expect({ total, refusal }).toEqual({ total: tags.length, refusal: undefined });
  });

  it("names none where one cannot be ordered", async () => {
    const { taken, refusal, rows } = await survey({ policy: { numerical: {} } }, ["1", "x", "2"]);
    expect({ taken, code: codeOf(refusal) }).toEqual({ taken: undefined, code: "NoTagMatch" });
    expect(rows.map(({ verdict }) => verdict)).toEqual(["earlier", "earlier", "unordered"]);
  });

  it.each([[[]], [["latest"]], [["1.0.0"]]])("says as a reconcile why nothing of %j is taken", async (few) => {
    const { refusal } = await survey({ semver: ">=9" }, few);
    const query = parseTagRule({ semver: ">=9" });
    const error: unknown = await chooseReference(query, repositoryOf(few), signal).catch((caught: unknown) => caught);
    expect(refusal?.message).toBe((error as Error).message);
  });
});

describe("of any list", () => {
  const tag = fc.oneof(
    fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((parts) => parts.join(".")),
    fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => `1.${a}.0-rc.${b}`),
    fc.constantFrom("latest", "v1.0.0", "1.0.0_b", "a b", "7"),
  );
  const query = fc.constantFrom<TagQuery>(
    { semver: "1.x" },
    { semver: ">=1.0.0-0", semverFilter: "rc" },
    { policy: { alphabetical: { order: "desc" } } },
    { policy: { numerical: {} } },
    { policy: { numerical: {} }, filterTags: { pattern: "^[0-9]+$" } },
  );

  it("takes what a reconcile takes, and keeps no more than it may", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(tag, { maxLength: 200 }),
        query,
        fc.integer({ min: 1, max: 9 }),
        async (list, one, limit) => {
          const { taken, rows, refusal } = await survey(one, list, limit);
          const chosen = await chooseReference(parseTagRule(one), repositoryOf(list, 50), signal).catch(codeOf);
          expect(refusal === undefined ? { tag: taken } : codeOf(refusal)).toEqual(chosen);
          expect(rows).toHaveLength(Math.min(limit, list.length));
          if (refusal === undefined) expect(rows[0]).toEqual({ tag: taken, verdict: "taken" });
        },
      ),
      { numRuns: 60 },
    );
  });
});
