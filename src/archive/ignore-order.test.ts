import { array, assert, constantFrom, property } from "fast-check";
import { expect, it } from "vitest";
import { createIgnore, readPatterns } from "./ignore.ts";

/** Patterns without directories, and what each of them means for a name. */
const meanings: Readonly<Record<string, (name: string) => boolean>> = {
  a: (name) => name === "a",
  "/a": (name) => name === "a",
  "b.yaml": (name) => name === "b.yaml",
  "*": () => true,
  "*.yaml": (name) => name.endsWith(".yaml"),
  "?": (name) => name.length === 1,
  "[ab]": (name) => name === "a" || name === "b",
  "[a-c]*": (name) => /^[a-c]/.test(name),
};
const names = ["a", "b", "c", "b.yaml", "d.yaml", "readme.md"];

it("the last pattern that matches decides", () => {
  const line = constantFrom(...Object.keys(meanings)).chain((pattern) => constantFrom(pattern, `!${pattern}`));
  assert(
    property(array(line, { maxLength: 6 }), (lines) => {
      const ignore = createIgnore(readPatterns(lines.join("\n")));
      for (const name of names) {
        const last = lines.findLast((line) => meanings[line.replace("!", "")]!(name));
        const expected = last !== undefined && !last.startsWith("!");
        expect(ignore(name, false) !== undefined, `${name} under ${JSON.stringify(lines)}`).toBe(expected);
      }
    }),
    { numRuns: 500 },
  );
});
