import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { array, assert, asyncProperty, constantFrom, pre, record, uniqueArray } from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tarOf, type TarFields } from "../testing/archives/tar.ts";
import { budgetOf, inPieces } from "../testing/archives/trees.ts";
import { DigestAhead } from "./digest-ahead.ts";
import { readTar } from "./read.ts";
import type { Tree } from "./tree.ts";
import { contentDigestOf } from "./write.ts";

type Entries = TarFields[];

const signal = new AbortController().signal;
let dir: string;
let number = 0;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-ahead-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** The tree of a tar, and what was hashed while it was read. */
async function read(...entries: Entries): Promise<{ tree: Tree; digest: DigestAhead }> {
  const digest = new DigestAhead();
  const { tree } = await readTar(inPieces(tarOf(...entries), 700), {
    compression: "none",
    spoolPath: join(dir, `spool-${number++}`),
    budget: budgetOf(),
    signal,
    ahead: { onFile: () => undefined, digest },
  });
  return { tree, digest };
}

const big = "x".repeat(3000);

describe("what is hashed ahead", () => {
  test.each<[string, Entries, number]>([
    ["everything that comes in order", [{ name: "a", content: big }, { name: "d/x", content: "" }, { name: "e" }], 4],
    [
      "directories too",
      [
        { name: "./d/", type: "5" },
        { name: "d/x", content: "1" },
        { name: "d", type: "5" },
      ],
      2,
    ],
    ["as far as the order goes", [{ name: "a/x", content: "1" }, { name: "a-b", content: big }, { name: "b" }], 2],
    [
      "nothing that stands before it",
      [
        { name: "b", content: "1" },
        { name: "a", content: big },
      ],
      1,
    ],
    ["all but symlinks", [{ name: "a" }, { name: "b", type: "2", link: "a" }, { name: "c", content: "1" }], 2],
    ["up to a second name", [{ name: "a", content: "1" }, { name: "b", type: "1", link: "a" }, { name: "c" }], 1],
    ["the first of two files", [{ name: "a", content: "1" }, { name: "a", content: "22" }, { name: "b" }], 1],
  ])("%s", async (_, entries, count) => {
    const { tree, digest } = await read(...entries);
    expect(digest.count).toBe(count);
    expect(await contentDigestOf(tree, digest, signal)).toBe(await contentDigestOf(tree, undefined, signal));
  });
});

describe("the digest is that of the tree, whatever was hashed ahead", () => {
  const layer: Entries = [
    { name: "b/x", content: big },
    { name: "c", content: "1" },
  ];

  test.each<[string, (tree: Tree) => void, boolean]>([
    ["nothing changed", () => undefined, true],
    ["a file less", (tree) => tree.remove("b/x"), false],
    ["an entry before it", (tree) => tree.putDirectory("a"), false],
    ["an entry in its middle", (tree) => tree.putDirectory("b/y"), false],
    ["entries behind it", (tree) => tree.putDirectory("d"), true],
    ["another file of that name", (tree) => tree.put("c", { ...tree.entries.get("c")! }), false],
  ])("%s", async (_, change, isOfUse) => {
    const { tree, digest } = await read(...layer);
    change(tree);
    expect(digest.isBeginningOf(tree, tree.paths())).toBe(isOfUse);
    expect(await contentDigestOf(tree, digest, signal)).toBe(await contentDigestOf(tree, undefined, signal));
  });

  test("for any archive", async () => {
    const part = constantFrom("a", "a-b", "b", "é", "😀", "\uffee");
    const entry = record({
      name: array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
      content: constantFrom("", "1", big),
    });
    await assert(
      asyncProperty(uniqueArray(entry, { selector: ({ name }) => name, maxLength: 6 }), async (entries) => {
        const names = entries.map(({ name }) => name);
        pre(!names.some((name) => names.some((other) => other.startsWith(`${name}/`))));
        const { tree, digest } = await read(...entries);
        expect(await contentDigestOf(tree, digest, signal)).toBe(await contentDigestOf(tree, undefined, signal));
      }),
      { numRuns: 60 },
    );
  });
});
