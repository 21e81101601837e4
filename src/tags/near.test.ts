import { expect, test } from "vitest";
import { nearTags, someTags } from "./near.ts";

test.each<[string, string[], string[]]>([
  ["1.2.0", ["latest", "v1.2.0", "1.2.1", "9.9.9-rc"], ["v1.2.0", "1.2.1"]],
  ["1.2", ["1.2.0", "1.2.1", "2.0.0"], ["1.2.0", "1.2.1"]],
  ["latest", ["main", "Latest"], ["Latest"]],
  ["stabel", ["stable", "staging"], ["stable"]],
  ["9.9", ["1.0.0", "cfg", "mod"], []],
  ["x", [], []],
])("near %s among %j: %j", (wanted, tags, expected) => {
  expect(nearTags(wanted, tags, 5).slice(0, Math.max(1, expected.length))).toEqual(expected);
});

test.each<[string[], string[]]>([
  [
    ["1.0.0", "1.1.0", "a", "b", "c", "d"],
    ["1.0.0", "1.1.0", "d"],
  ],
  [
    ["v1.0.0", "v1.2.0", "v1.3.0", "v1.10.0", "main"],
    ["v1.2.0", "v1.3.0", "v1.10.0"],
  ],
  [
    ["main", "v1.0.0"],
    ["main", "v1.0.0"],
  ],
  [[], []],
])("three of %j: %j", (tags, expected) => {
  expect(someTags(tags, 3)).toEqual(expected);
});
