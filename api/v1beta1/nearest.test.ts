import { expect, it } from "vitest";
import { nearestName } from "./nearest.ts";

const known = ["mediaType", "annotations", "offset", "operation", "filename", "layout", "onConflict", "symlinks"];

it.each([
  ["mediatype", "mediaType"],
  ["mediaTypes", "mediaType"],
  ["annotation", "annotations"],
  ["onconflicts", "onConflict"],
  ["ofset", "offset"],
  ["operaton", "operation"],
  ["symlink", "symlinks"],
])("takes %s for %s", (name, expected) => {
  expect(nearestName(name, known)).toBe(expected);
});

it.each(["digest", "kubernetes", "", "x".repeat(100_000)])("finds nothing near %.20s", (name) => {
  expect(nearestName(name, known)).toBeUndefined();
});
