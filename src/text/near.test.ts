import { expect, it } from "vitest";
import { editDistance, nearestWord } from "./near.ts";

it.each([
  ["", "", 0],
  ["kitten", "sitting", 3],
  ["abc", "abcd", 1],
  ["abcdef", "ghijkl", Infinity],
  ["a", "abcdefgh", Infinity],
])("%j is so far from %j", (a, b, far) => {
  expect(editDistance(a, b)).toBe(far);
});

it.each([
  ["platfrom", ["artifact-type", "platform"], "platform"],
  ["type", ["media-type", "match"], "media-type"],
  ["out", ["output", "insecure"], "output"],
  ["biuld", ["bundle", "build"], "build"],
  ["json5", ["yaml", "json"], "json"],
  ["nothing", ["output", "platform"], undefined],
  ["", ["output"], undefined],
])("%j means, of %j, %j", (wanted, words, meant) => {
  expect(nearestWord(wanted, words)).toBe(meant);
});
