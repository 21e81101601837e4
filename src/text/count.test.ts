import { expect, it } from "vitest";
import { counted } from "./count.ts";

it.each([
  [0, "tag", undefined, "0 tags"],
  [1, "tag", undefined, "1 tag"],
  [2, "tag", undefined, "2 tags"],
  [2, "entry", "entries", "2 entries"],
])("%d %s", (count, noun, plural, expected) => {
  expect(counted(count, noun, plural)).toBe(expected);
});
