import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert, asyncProperty, constantFrom, dictionary } from "fast-check";
import { afterAll, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { treeOf } from "../testing/archives/trees.ts";
import { mergeTrees } from "./merge.ts";
import type { Tree } from "./tree.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-merge-order-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Contents of different lengths, so that the length tells which one it is. */
const content = constantFrom("1", "22", "333");
const layers = array(dictionary(constantFrom("a", "b", "d/a", "d/e/b"), content, { maxKeys: 3 }), { maxLength: 4 });
type Layer = Record<string, string>;

async function merge(parts: readonly Layer[], policy: "Fail" | "Overwrite" | "Keep"): Promise<Tree> {
  const trees = parts.map((items, at) => ({ tree: treeOf(dir, { ...items }), label: `layer ${at}` }));
  return await mergeTrees(trees, policy, 1000);
}

function filesOf(tree: Tree): Record<string, number> {
  return Object.fromEntries(
    [...tree.entries].flatMap(([path, entry]) => (entry.kind === "file" ? [[path, entry.body.size]] : [])),
  );
}

const lengths = (layer: Layer): Record<string, number> =>
  Object.fromEntries(Object.entries(layer).map(([path, text]) => [path, text.length]));

it("the later layer counts under Overwrite, the earlier one under Keep, and Fail takes neither", async () => {
  await assert(
    asyncProperty(layers, async (parts) => {
      const later = Object.assign({}, ...parts) as Layer;
      const earlier = Object.assign({}, ...parts.toReversed()) as Layer;
      expect(filesOf(await merge(parts, "Overwrite"))).toEqual(lengths(later));
      expect(filesOf(await merge(parts, "Keep"))).toEqual(lengths(earlier));
      const isConflict = parts.some((part) => Object.entries(part).some(([path, text]) => later[path] !== text));
      const outcome = await merge(parts, "Fail").then(filesOf, codeOf);
      expect(outcome).toEqual(isConflict ? "PathConflict" : lengths(later));
    }),
    { numRuns: 60 },
  );
});
