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
    expect(table.paths.filter((path) => ignore(path, false) !== undefined)).toEqual(ignored);
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
    expect(createIgnore(readPatterns(pattern))(path, false) !== undefined).toBe(expected);
  });

  test("a directory is matched by a pattern for directories", () => {
    const ignore = createIgnore(readPatterns("value/"));
    expect(ignore("value", true)).toBeDefined();
    expect(ignore("value", false)).toBeUndefined();
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
    expect(ignore("sub/dir", true)).toBeUndefined();
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
    expect(ignoreRules([], "")("img.png", false)).toBeDefined();
    expect(ignoreRules([], "# only a comment\n")("img.png", false)).toBeDefined();
  });

  test("spec.ignore has the last word over .sourceignore", () => {
    const ignore = ignoreRules(readPatterns("*.yaml"), "!keep.yaml");
    expect(ignore("a.yaml", false)).toBeDefined();
    expect(ignore("keep.yaml", false)).toBeUndefined();
  });

  test("too many patterns are refused", () => {
    const error = catchError(() => readPatterns("x\n".repeat(10_001)));
    expect(error.code).toBe("InvalidPattern");
  });
});

describe("roots", () => {
  const ignored = (roots: string[], text: string, paths: string[]): string[] => {
    const ignore = ignoreRules(readPatterns("/own\n", "b/c"), text, { defaults: "none", roots: new Set(roots) });
    return paths.filter((path) => ignore(path, false) !== undefined);
  };

  test("are where the paths begin that patterns see", () => {
    expect(ignored(["a", "b/c"], "/x\n", ["x", "a/x", "a/a/x", "b/x", "b/c/x", "b/c/own", "a/own"])).toEqual([
      "a/x",
      "b/c/x",
      "b/c/own",
    ]);
  });

  test("are not matched themselves", () => {
    expect(ignored(["site.tar.gz", "b"], "*.tar.gz\nb/\n", ["site.tar.gz/a", "site.tar.gz/b/x", "b/x"])).toEqual([
      "site.tar.gz/b/x",
    ]);
  });
});

describe("what matching may cost", () => {
  test("is refused beyond a number of steps, which counts characters where there are wildcards", () => {
    const ignore = createIgnore(readPatterns("*a*b*\n*.png\nplain\n"), { maxSteps: 1000 });
    const cost = "x".repeat(100).length + 1 + 2;
    for (let i = 0; i < Math.floor(1000 / cost); i++) ignore(`${i}`.padStart(100, "x"), false);
    expect(catchError(() => ignore("x".repeat(101), false)).code).toBe("InvalidPattern");
  });

  test("does not grow with the depth of a path", () => {
    const ignore = createIgnore(readPatterns("*.x?z\n".repeat(50)), { maxSteps: 50 * 10 * 200 });
    let path = "abcdefgh";
    for (let depth = 1; depth < 200; depth++, path += "/abcdefgh") expect(ignore(path, true)).toBeUndefined();
  });
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
