import { array, assert, constantFrom, oneof, property, record, string } from "fast-check";
import { expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { expandTemplate, safePath } from "./template.ts";

const nasty = constantFrom("..", ".", "/", "\\", "\u0000", "\n", "a", "b.yaml", "~", "C:", "\u202e", "é", "{tag}", " ");
const value = oneof(
  array(nasty, { maxLength: 6 }).map((parts) => parts.join("")),
  string({ unit: "binary" }),
);
const template = array(
  oneof(
    constantFrom("{tag}", "{title}", "{offset}", "{hex}", "{ext}", "{repository}", "{platform}", "{annotation:k}", "/"),
    nasty,
  ),
  { minLength: 1, maxLength: 6 },
).map((parts) => parts.join(""));

/** What is a relative path in every file system, and only goes down. */
function expectSafe(path: string): void {
  expect(path).not.toMatch(/^\/|\\|\/$|\/\//);
  expect(path).not.toMatch(/\p{Cc}/u);
  for (const part of path.split("/")) expect(["", ".", ".."]).not.toContain(part);
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(1024);
}

it("whatever a stranger's values are, the name is a path that goes down, or an error", () => {
  const values = record({ tag: value, title: value, repository: value, platform: value, annotation: value });
  assert(
    property(template, values, (template, { annotation, ...values }) => {
      try {
        const all = { ...values, offset: "0", hex: "ab", ext: ".yaml", annotation: () => annotation };
        const path = expandTemplate(template, all);
        expectSafe(path);
        expect(safePath(path, "x")).toBe(path);
      } catch (error) {
        expect(codeOf(error)).toBe("InvalidTemplate");
      }
    }),
    { numRuns: 2000 },
  );
});
