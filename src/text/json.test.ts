import { array, assert, constantFrom, json, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonRefused, parseJson, parseJsonObject } from "./json.ts";

const problem = (source: Uint8Array | string, limits = {}): string => {
  try {
    parseJsonObject(source, limits);
  } catch (error) {
    expect(error).toBeInstanceOf(JsonRefused);
    return (error as Error).message;
  }
  return "none";
};

describe("parseJson", () => {
  it("reads what JSON.parse reads", () => {
    assert(
      property(json({ maxDepth: 8 }), (text) => {
        expect(parseJson(text)).toEqual(JSON.parse(text));
        expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("counts no bracket and no comma in a string", () => {
    const odd = array(constantFrom("[", "{", ",", "\\", '"', "]", "}", "a"), { maxLength: 40 });
    assert(
      property(array(odd, { maxLength: 4 }), (words) => {
        const value = words.map((word) => word.join(""));
        expect(parseJson(JSON.stringify(value), { maxDepth: 1, maxValues: value.length + 2 })).toEqual(value);
      }),
    );
  });

  it.each<[string, Uint8Array | string, RegExp]>([
    ["nothing", "", /^is not JSON$/],
    ["a text that it must not quote", '{"auth": "hunter2"', /^is not JSON$/],
    ["what is not UTF-8", Buffer.from([0x22, 0xff, 0x22]), /^is not JSON$/],
    ["an open string", '{"a', /^is not JSON$/],
    ["brackets closed that were never opened", "]]]]{", /^is not JSON$/],
    ["a list", "[]", /^is not a JSON object$/],
    ["null", "null", /^is not a JSON object$/],
    ["deep lists", "[".repeat(101) + "]".repeat(101), /^nests more than 100 levels deep$/],
    ["deep objects", '{"a":'.repeat(101) + "1" + "}".repeat(101), /^nests more than 100 levels deep$/],
    ["lists without an end", "[".repeat(5_000_000), /^nests more than 100 levels deep$/],
    ["many values", `[${"{},".repeat(500_000)}1]`, /^has more than 400000 values$/],
    ["a large text", " ".repeat(33 * 1024 * 1024), /^is larger than 33554432 bytes$/],
  ])("refuses %s", (_, source, message) => {
    expect(problem(source)).toMatch(message);
  });

  it("reads as much as it is allowed", () => {
    expect(problem(`{"a":${"[".repeat(99)}${"]".repeat(99)}}`)).toBe("none");
    expect(problem('{"a":[1,2]}', { maxValues: 4, maxDepth: 2, maxBytes: 11 })).toBe("none");
    expect(problem('{"a":[1,2]}', { maxValues: 3 })).toBe("has more than 3 values");
    expect(problem('{"a":[1,2]}', { maxDepth: 1 })).toBe("nests more than 1 levels deep");
    expect(problem('{"a":[1,2]}', { maxBytes: 10 })).toBe("is larger than 10 bytes");
  });
});
