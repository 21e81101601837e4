import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { CodedError } from "../errors.ts";
import { treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { mergeTrees } from "./merge.ts";
import type { Tree } from "./tree.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-merge-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Items = Record<string, TreeItem>;
type Policy = "Fail" | "Overwrite" | "Keep";

function merge(parts: readonly Items[], policy: Policy = "Fail", maxEntries = 1000): Promise<Tree> {
  return mergeTrees(
    parts.map((items, i) => ({ tree: treeOf(dir, items), label: `layer ${i}` })),
    policy,
    maxEntries,
  );
}

/** Path to the number of the layer it came from, by the length of the content; `/` for directories. */
function summary(tree: Tree): Record<string, string | number> {
  return Object.fromEntries(
    [...tree.entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, entry]) => [
        path,
        entry.kind === "file"
          ? entry.body.size + (entry.executable ? 0.5 : 0)
          : entry.kind === "dir"
            ? "/"
            : entry.target,
      ]),
  );
}

test("layers without a path in common, and shared directories", async () => {
  expect(summary(await merge([{ "d/a": "1" }, { "d/b": "22", e: null }, { c: "333" }]))).toEqual({
    c: 3,
    d: "/",
    "d/a": 1,
    "d/b": 2,
    e: "/",
  });
});

test("no layers, one layer", async () => {
  expect(summary(await merge([]))).toEqual({});
  expect(summary(await merge([{ a: "1" }]))).toEqual({ a: 1 });
});

test("equal content does not conflict, also of megabytes", async () => {
  const big = "x".repeat(3_000_000);
  expect(summary(await merge([{ a: big, b: "" }, { a: big, b: "" }, { a: big }]))).toEqual({ a: 3_000_000, b: 0 });
});

test("equal symlinks do not conflict", async () => {
  expect(summary(await merge([{ s: { symlink: "a" } }, { s: { symlink: "a" } }]))).toEqual({ s: "a" });
});

describe("conflicts", () => {
  test.each<[string, Items, Items, object, object]>([
    ["content", { a: "1", k: "1" }, { a: "22" }, { a: 2, k: 1 }, { a: 1, k: 1 }],
    ["content of one size", { a: "x" }, { a: "y" }, { a: 1 }, { a: 1 }],
    [
      "a file where a directory was",
      { "d/x": "1", "d/e/y": "1" },
      { d: "22" },
      { d: 2 },
      { d: "/", "d/e": "/", "d/e/y": 1, "d/x": 1 },
    ],
    ["a directory where a file was", { d: "1" }, { "d/x": "22" }, { d: "/", "d/x": 2 }, { d: 1 }],
    ["a symlink where a file was", { a: "1" }, { a: { symlink: "t" } }, { a: "t" }, { a: 1 }],
    ["two symlinks", { a: { symlink: "s" } }, { a: { symlink: "t" } }, { a: "t" }, { a: "s" }],
  ])("%s", async (_, first, second, overwritten, kept) => {
    const error = await merge([{ other: "1" }, first, second]).catch((caught: unknown) => caught as CodedError);
    expect(error).toMatchObject({
      code: "PathConflict",
      details: { path: Object.keys(second)[0]!.split("/")[0], layers: ["layer 1", "layer 2"] },
    });
    expect(summary(await merge([first, second], "Overwrite"))).toEqual(overwritten);
    expect(summary(await merge([first, second], "Keep"))).toEqual(kept);
  });

  test("the message names both layers and what to write", async () => {
    await expect(merge([{ "d/a": "1" }, { "d/a": "2" }])).rejects.toThrow(
      /"d\/a".*layer 0.*layer 1[^]*onConflict: Overwrite/,
    );
  });

  test("among three layers the last, or the first, counts", async () => {
    const parts = [{ a: "1" }, { a: "22" }, { a: "333" }];
    expect(summary(await merge(parts, "Overwrite"))).toEqual({ a: 3 });
    expect(summary(await merge(parts, "Keep"))).toEqual({ a: 1 });
  });

  test("the executable bit is that of the layer that counts", async () => {
    const parts: Items[] = [{ a: "1" }, { a: { executable: "1" } }];
    expect(summary(await merge(parts, "Overwrite"))).toEqual({ a: 1.5 });
    expect(summary(await merge(parts, "Keep"))).toEqual({ a: 1 });
    expect(summary(await merge(parts))).toEqual({ a: 1 });
  });
});

test("symlinks that gave way in a layer stay counted", async () => {
  const tree = await merge([
    { s: { symlink: "x" }, "s/a": "1" },
    { t: { symlink: "x" }, "t/a": "1" },
  ]);
  expect(tree.displacedLinks).toBe(2);
});

test("the limit of entries is that of the whole", async () => {
  await expect(merge([{ a: "1", b: "1" }, { c: "1" }], "Fail", 2)).rejects.toMatchObject({
    code: "ArchiveTooManyEntries",
  });
});

test("an abort while files are compared", async () => {
  const abort = new AbortController();
  const parts = [{ a: "x" }, { a: "y" }].map((items, i) => ({ tree: treeOf(dir, items), label: `${i}` }));
  abort.abort();
  await expect(mergeTrees(parts, "Fail", 10, abort.signal)).rejects.toMatchObject({ code: "Aborted" });
});

test("a scratch file that has vanished", async () => {
  const parts = [{ a: "x" }, { a: "y" }].map((items, i) => ({ tree: treeOf(dir, items), label: `${i}` }));
  for (const { tree } of parts)
    for (const entry of tree.entries.values()) if (entry.kind === "file") rmSync(entry.body.file);
  await expect(mergeTrees(parts, "Fail", 10)).rejects.toMatchObject({ code: "StorageFailed" });
});
