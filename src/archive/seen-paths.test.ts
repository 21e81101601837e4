import { array, assert, constantFrom, property, tuple } from "fast-check";
import { expect, it } from "vitest";
import { SeenPaths, type SeenAs } from "./seen-paths.ts";

// Also where UTF-16 and UTF-8 order differently.
const paths = ["a", "a-b", "a/x", "a/y", "b", "b/c/d", "z", "\uff5e", "\u{1f600}"] as const;
const steps = array(tuple(constantFrom(...paths), constantFrom<SeenAs>("file", "dir", "implied")));

it("knows what a Map knows, in whatever order it was told", () => {
  assert(
    property(steps, (told) => {
      const seen = new SeenPaths();
      const known = new Map<string, SeenAs>();
      for (const [path, as] of told) {
        for (const asked of paths) expect(seen.get(asked)).toBe(known.get(asked));
        // What is known is never called a file later, nor is a file anything else.
        if (known.has(path) && (as === "file" || known.get(path) === "file")) continue;
        seen.set(path, as);
        known.set(path, as);
      }
    }),
  );
});
