import { expect, test } from "vitest";
import { renderAliases } from "./alias.ts";

const variables = { tag: "1.0.0", hex: "abc", digest: "sha256:abc", title: undefined, "annotation:stage": "qa" };

test("aliases are rendered, each once", () => {
  expect(renderAliases(["{tag}", "stable", "{annotation:stage}", "v{tag}-{hex}", "{tag}"], variables)).toEqual([
    "1.0.0",
    "stable",
    "qa",
    "v1.0.0-abc",
  ]);
});

test.each([
  ["{tga}", /\{tag\}/],
  ["{constructor}", /\{tag\}/],
  ["{title}", /empty/],
  ["{}", /\{tag\}/],
  ["{digest}", /tags are/],
  ["{tag", /tags are/],
  ["-x", /tags are/],
  ["a/b", /tags are/],
  ["", /tags are/],
  ["x".repeat(129), /tags are/],
])("%j is refused with what to write instead", (template, advice) => {
  expect(() => renderAliases([template], variables)).toThrow(
    expect.objectContaining({ code: "InvalidTemplate", message: expect.stringMatching(advice) as string }),
  );
});
