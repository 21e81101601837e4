import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { array, assert, constantFrom, property, tuple, type Arbitrary } from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { expandTemplate } from "../../src/operation/template.ts";
import { repositoryOf } from "../../src/pipeline/spec.ts";
import { parsePattern } from "../../src/tags/pattern.ts";
import { parseRange } from "../../src/tags/range.ts";
import { readVerifyPolicy } from "../../src/verify/policy.ts";
import { parseArtifactRepository } from "./parse.ts";
import type { ArtifactRepositorySpec } from "./spec.ts";
import { rangePattern, repositoryUrl, templatePattern } from "./syntax.ts";

const dir = join(import.meta.dirname, "../../config/testdata/crd/syntax");
const values = { tag: "1", title: "t", offset: "0", digest: "d", hex: "h", ext: ".e", repository: "r", platform: "p" };
const everyValue = { ...values, artifactType: "a", annotation: () => "x" };

function specOf(file: string): ArtifactRepositorySpec {
  const parsed = parseArtifactRepository(parse(readFileSync(join(dir, file), "utf8")));
  if ("issues" in parsed) throw new Error(`${file}: ${JSON.stringify(parsed.issues)}`);
  return parsed.resource.spec;
}

const isText = (text: string | undefined): text is string => text !== undefined;

/** Every text of a spec that has a syntax of its own, read by its parser. */
async function readAll(spec: ArtifactRepositorySpec): Promise<void> {
  const { ref = {}, layerSelector, verify } = spec;
  repositoryOf(spec);
  [ref.semver, ref.policy?.semver?.range].filter(isText).forEach((range) => parseRange(range));
  [ref.semverFilter, ref.filterTags?.pattern].filter(isText).forEach((pattern) => parsePattern(pattern, "pattern"));
  [layerSelector?.filename].filter(isText).forEach((name) => expandTemplate(name, everyValue));
  if (verify !== undefined) await readVerifyPolicy(verify, () => Promise.reject(new Error("no Secret is named")));
}

describe("what the API server refuses by its syntax", () => {
  it.each(readdirSync(dir))("%s is refused by a parser, too", async (file) => {
    await expect(readAll(specOf(file))).rejects.toMatchObject({
      code: expect.stringMatching(/^Invalid(Reference|Pattern|Spec|Template)$/) as string,
    });
  });
});

const isAccepted = (read: () => unknown): boolean => {
  try {
    read();
    return true;
  } catch {
    return false;
  }
};

/** Everything that the parser takes out of `texts` must pass the rule; and it has to have taken much. */
function letsThrough(texts: Arbitrary<string>, parser: (text: string) => unknown, rule: (text: string) => boolean) {
  let taken = 0;
  assert(
    property(texts, (text) => {
      if (!isAccepted(() => parser(text))) return;
      taken++;
      expect(rule(text), text).toBe(true);
    }),
    { numRuns: 1000 },
  );
  expect(taken).toBeGreaterThan(50);
}

const joined = (parts: readonly string[], maxLength: number) =>
  array(constantFrom(...parts), { minLength: 1, maxLength }).map((chosen) => chosen.join(""));

describe("what the parsers accept passes the API server", () => {
  it.each(["1 - 1^1", "1 - 1v2", "1 - 2 >=1, 3 - 4 || x", "1 - 2||3", " 1 - 2 , 3 "])("for the range %j", (range) => {
    parseRange(range);
    expect(RE2JS.compile(rangePattern).matches(range)).toBe(true);
  });

  it("for ranges", () => {
    const pattern = RE2JS.compile(rangePattern);
    const parts = [
      "1",
      "2.3",
      "x",
      "*",
      ".",
      "-0",
      "-rc.1",
      "+b",
      " ",
      "\t",
      ",",
      "||",
      "|",
      ">=",
      "~>",
      "^",
      "=",
      " - ",
      "v",
    ];
    letsThrough(joined(parts, 7), parseRange, (text) => pattern.matches(text));
  });

  it("for names of files", () => {
    const pattern = RE2JS.compile(templatePattern);
    const parts = ["{tag}", "{annotation:a b/c}", "{name}", "{}", "a", "ä", "/", ".", "$", "{ext}", "\n", "-"];
    const read = (text: string) => expandTemplate(text, everyValue);
    letsThrough(joined(parts, 5), read, (text) => pattern.matches(text));
  });

  it("for URLs", () => {
    const rules = repositoryUrl.map(({ cel }) => /^(!?)self\.url\.matches\('(.*)'\)$/.exec(cel) ?? []);
    expect(rules.every(([whole]) => whole !== undefined)).toBe(true);
    const passes = (url: string) => rules.every(([, not, pattern]) => new RegExp(pattern!).test(url) === (not === ""));
    const parts = ["app", "App", "__", "-", "/", ".", "1", "9", ":1.0", "@"];
    const hosts = constantFrom("host", "Host.example", "localhost:5000", "[::1]:5000", "me@host");
    const urls = tuple(hosts, joined(parts, 4)).map(([host, rest]) => `oci://${host}/${rest}`);
    letsThrough(urls, (url) => repositoryOf({ url } as ArtifactRepositorySpec), passes);
  });
});
