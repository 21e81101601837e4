import { expect, it } from "vitest";
import { counted, withArticle } from "./count.ts";

it.each([
  [0, "tag", undefined, "0 tags"],
  [1, "tag", undefined, "1 tag"],
  [2, "tag", undefined, "2 tags"],
  [2, "entry", "entries", "2 entries"],
])("%d %s", (count, noun, plural, expected) => {
  expect(counted(count, noun, plural)).toBe(expected);
});

it.each([
  "an oras artifact",
  "a timoni module",
  "an OCI layout",
  "a URL",
  "a user",
  "an index",
  "a unique name",
  "an ArtifactRepository",
  "a HelmRelease",
  "an HTTP server",
  "a Kustomization",
  "a one-layer image",
])("%s", (phrase) => {
  expect(withArticle(phrase.replace(/^an? /, ""))).toBe(phrase);
});
