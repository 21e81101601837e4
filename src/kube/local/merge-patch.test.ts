import { describe, expect, it } from "vitest";
import { mergePatch, removals } from "./merge-patch.ts";

// The examples of RFC 7386, appendix A.
describe("mergePatch", () => {
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', "null", "null"],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])("%s with %s is %s", (target, patch, expected) => {
    expect(mergePatch(JSON.parse(target), JSON.parse(patch))).toEqual(JSON.parse(expected));
  });

  it("treats __proto__ as a name like any other", () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    expect(Object.hasOwn(merged, "__proto__")).toBe(true);
    expect(merged["polluted"]).toBeUndefined();
  });
});

describe("removals", () => {
  it.each([
    [{ a: 1, b: { c: 1, d: 2 } }, { a: 2, b: { c: 1 } }, { b: { d: null } }],
    [{ a: 1, b: { c: 1 } }, { a: 1 }, { b: null }],
    [{ a: [1, 2] }, { a: [] }, undefined],
    [{ a: { b: 1 } }, { a: 1 }, undefined],
  ])("%j then %j", (previous, next, expected) => {
    expect(removals(previous, next)).toEqual(expected);
  });
});
