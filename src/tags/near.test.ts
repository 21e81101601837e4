import { expect, test } from "vitest";
import { nearTags } from "./near.ts";

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
