import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CodedError } from "../errors.ts";
import { createIgnore, ignoreRules, readPatterns } from "./ignore.ts";

interface Table {
  readonly paths: readonly string[];
  readonly cases: readonly { readonly patterns: string; readonly ignored: readonly string[] }[];
}

const table = JSON.parse(
  readFileSync(new URL("../testing/fixtures/expected/sourceignore.json", import.meta.url), "utf8"),
) as Table;

describe("what fluxcd/pkg/sourceignore answered", () => {
  test.each(table.cases.map(({ patterns, ignored }) => [patterns, ignored] as const))("%j", (patterns, ignored) => {
    const ignore = patterns === "<Flux defaults>" ? ignoreRules([], undefined) : createIgnore(readPatterns(patterns));
    expect(table.paths.filter((path) => ignore(path, false))).toEqual(ignored);
  });
});

/** The cases that go-git's gitignore package documents by its own tests, and a few at the edges of Go's path.Match. */
describe("one pattern", () => {
  test.each([
    ["v*o", "value/vulkano/tail", true],
    ["vul?ano", "value/vulkano/tail", true],
    ["v[ou]l[kc]ano", "value/volcano", true],
    ["v[ou]l[", "value/vol[", false],
    ["value/", "value", false],
    ["value/", "value/tail", true],
    ["val", "value", false],
    ["/value/vul?ano", "value/vulkano/tail", true],
    ["value/vulkano", "value/volcano", false],
    ["value/vul?ano", "value", false],
    ["/value/volcano", "value/value/volcano", false],
    ["**/*lue/vol?ano", "head/value/volcano/tail", true],
    ["**/*lue/vol?ano", "head/value/Volcano/tail", false],
    ["**/*lue/vol?ano/", "head/value/volcano/tail", true],
    ["**/*lue/vol?ano/", "head/value/volcano", false],
    ["/*lue/vol?ano/**", "value/volcano/tail/moretail", true],
    ["/*lue/**/vol?ano", "value/middle1/middle2/volcano", true],
    ["/*lue/**foo/vol?ano", "value/foo/volcano/tail", false],
    ["**/head/v[ou]l[kc]ano", "value/head/volcano", true],
    ["**/head/v[ou]l[", "value/head/vol[", false],
    ["**/android/**/Registrant.java", "packages/lib/src/android/gradle.dart", false],
    ["[a-c].yaml", "b.yaml", true],
    ["[^a-c].yaml", "b.yaml", false],
    ["[^a-c].yaml", "d.yaml", true],
    ["[\\]].yaml", "].yaml", true],
    ["[]a].yaml", "].yaml", false],
    ["[a", "[a", false],
    ["\\*.yaml", "*.yaml", true],
    ["\\*.yaml", "x.yaml", false],
    ["trailing\\", "trailing\\", false],
    ["?.yaml", "é.yaml", true],
    ["?.yaml", "😀.yaml", true],
    ["a**b", "axxb", true],
    ["*a*b*c", "xaxbxc", true],
    ["*a*b*c", "xaxbx", false],
    ["name\\ ", "name ", true],
    ["crlf.yaml\r", "crlf.yaml", true],
  ])("%j on %j: %s", (pattern, path, expected) => {
    expect(createIgnore(readPatterns(pattern))(path, false)).toBe(expected);
  });

  test("a directory is matched by a pattern for directories", () => {
    const ignore = createIgnore(readPatterns("value/"));
    expect(ignore("value", true)).toBe(true);
    expect(ignore("value", false)).toBe(false);
  });
});

describe("rules of a tree", () => {
  test("the patterns of a nested file count below its directory only", () => {
    const ignore = createIgnore(readPatterns("/x.yaml\n*.md", "sub/dir"));
    expect(
      ["x.yaml", "sub/dir/x.yaml", "sub/dir/deep/x.yaml", "sub/dir/deep/a.md", "a.md", "sub/dirt/a.md"].filter((path) =>
        ignore(path, false),
      ),
    ).toEqual(["sub/dir/x.yaml", "sub/dir/deep/a.md"]);
    expect(ignore("sub/dir", true)).toBe(false);
  });

  test("patterns of its own replace the default exclusions but for version control", () => {
    const ignore = ignoreRules([], "/docs");
    expect(["docs/a", "img.png", ".git/config", ".gitignore"].filter((path) => ignore(path, false))).toEqual([
      "docs/a",
      ".git/config",
      ".gitignore",
    ]);
  });

  test("an empty spec.ignore is as none, as in Flux", () => {
    expect(ignoreRules([], "")("img.png", false)).toBe(true);
    expect(ignoreRules([], "# only a comment\n")("img.png", false)).toBe(true);
  });

  test("spec.ignore has the last word over .sourceignore", () => {
    const ignore = ignoreRules(readPatterns("*.yaml"), "!keep.yaml");
    expect(ignore("a.yaml", false)).toBe(true);
    expect(ignore("keep.yaml", false)).toBe(false);
  });

  test("too many patterns are refused", () => {
    const error = catchError(() => readPatterns("x\n".repeat(2001)));
    expect(error.code).toBe("InvalidPattern");
  });
});

test("a hostile pattern takes linear time", () => {
  const ignore = createIgnore(readPatterns(`${"*a".repeat(60)}b`));
  const started = performance.now();
  expect(ignore("a".repeat(4000), false)).toBe(false);
  expect(performance.now() - started).toBeLessThan(500);
});

function catchError(run: () => unknown): CodedError {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
