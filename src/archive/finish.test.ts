import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { applyIgnore, checkPublishable } from "./finish.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-finish-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const signal = new AbortController().signal;

async function left(
  items: Record<string, TreeItem>,
  specIgnore?: string,
): Promise<{ paths: string[]; ignored: number }> {
  const tree = treeOf(dir, items);
  const { files } = await applyIgnore(tree, { specIgnore, defaults: "flux" }, signal);
  return { paths: tree.paths(), ignored: files };
}

describe("ignore rules", () => {
  test.each<[string, Record<string, TreeItem>, string | undefined, string[], number]>([
    [
      "the default exclusions",
      { "a.yaml": "", "img.png": "", ".git/config": "", ".github/x": "" },
      undefined,
      ["a.yaml"],
      3,
    ],
    ["a directory goes with all in it", { "docs/a/b": "", "docs/c": "", k: "" }, "/docs", ["k"], 2],
    ["an empty directory is not a file", { d: null, k: "" }, "d/", ["k"], 0],
    ["what is excluded is put back", { "a.png": "", "b.png": "" }, "*.png\n!b.png", ["b.png"], 1],
    [
      "what is put back keeps the directories above it",
      { "d/e/keep": "", "d/e/other": "", "d/f/gone": "", k: "" },
      "d/\n!d/e/keep",
      ["d", "d/e", "d/e/keep", "k"],
      2,
    ],
    [
      "a .sourceignore below an excluded directory puts back",
      { "d/.sourceignore": "!*.yaml\n", "d/a.yaml": "", "d/a.md": "", ".sourceignore": "d/\n" },
      undefined,
      [".sourceignore", "d", "d/a.yaml"],
      2,
    ],
    [
      "a .sourceignore in the tree",
      { ".sourceignore": "*.md\n", "a.md": "", "a.yaml": "" },
      undefined,
      [".sourceignore", "a.yaml"],
      1,
    ],
    [
      "a nested .sourceignore",
      { "d/.sourceignore": "*.md\n", "d/a.md": "", "a.md": "" },
      undefined,
      ["a.md", "d", "d/.sourceignore"],
      1,
    ],
    [
      "the nearest file decides",
      { ".sourceignore": "*.md\n", "d/.sourceignore": "!*.md\n", "d/a.md": "", "a.md": "" },
      undefined,
      [".sourceignore", "d", "d/.sourceignore", "d/a.md"],
      1,
    ],
    [
      "spec.ignore has the last word",
      { ".sourceignore": "*.md\n", "a.md": "", "b.md": "" },
      "!a.md",
      [".sourceignore", "a.md"],
      1,
    ],
    ["a .sourceignore in .git says nothing", { ".git/.sourceignore": "*\n", a: "" }, undefined, ["a"], 1],
    [
      "a directory called .sourceignore says nothing",
      { ".sourceignore/a": "*\n", a: "" },
      undefined,
      [".sourceignore", ".sourceignore/a", "a"],
      0,
    ],
  ])("%s", async (_, items, specIgnore, paths, ignored) => {
    expect(await left(items, specIgnore)).toEqual({ paths, ignored });
  });

  test("immense .sourceignore files are refused, one or many", async () => {
    await expect(left({ ".sourceignore": "#".repeat(1_100_000) })).rejects.toMatchObject({ code: "ArchiveTooLarge" });
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`d${i}/.sourceignore`, "#".repeat(40_000)]));
    await expect(left(many)).rejects.toMatchObject({ code: "ArchiveTooLarge" });
  });

  test("too many patterns are refused", async () => {
    await expect(
      left({ ".sourceignore": "a\n".repeat(7500), "d/.sourceignore": "b\n".repeat(7500) }),
    ).rejects.toMatchObject({ code: "InvalidPattern" });
  });

  test("an abort while a hostile .sourceignore is matched", async () => {
    const patterns = `*${"a".repeat(100)}b*\n`.repeat(1900);
    const tree = treeOf(dir, {
      ".sourceignore": patterns,
      ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${"a".repeat(200)}${i}`, ""])),
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 1);
    await expect(applyIgnore(tree, { specIgnore: undefined, defaults: "flux" }, abort.signal)).rejects.toMatchObject({
      code: "Aborted",
    });
  });
});

describe("what consumers cannot unpack", () => {
  test.each<[string, Record<string, TreeItem>, string]>([
    ["a backslash", { "a\\b": "" }, "ArchiveUnsafePath"],
    ["a part that ends in two dots", { "a../b": "" }, "ArchiveUnsafePath"],
    ["a part of 256 bytes", { ["é".repeat(128)]: "" }, "ArchiveUnsafePath"],
    ["a name that is not UTF-8", { "caf\udce9.txt": "" }, "ArchiveUnsafePath"],
    ["no files", { d: null }, "EmptyResult"],
    ["nothing", {}, "EmptyResult"],
    ["only links", { s: { symlink: "a" } }, "EmptyResult"],
  ])("%s", (_, items, code) => {
    expect(() => checkPublishable(treeOf(dir, items))).toThrow(expect.objectContaining({ code }) as Error);
  });

  test.each([
    ["caf\udce9.txt", '"caf\\xe9.txt"', "caf?.txt"],
    ["d/a\\b[1]", '"d/a\\\\b[1]"', "a?b?1?"],
  ])("%j can be left out by what the message says", async (path, shown, pattern) => {
    const tree = treeOf(dir, { [path]: "", k: "" });
    expect(() => checkPublishable(tree)).toThrow(`Flux cannot unpack the path ${shown}`);
    expect(() => checkPublishable(tree)).toThrow(`write\nignore: "${pattern}"`);
    expect((await left({ [path]: "", k: "" }, pattern)).paths).toContain("k");
    expect((await left({ [path]: "", k: "" }, pattern)).paths).not.toContain(path);
  });

  test("a part of 255 bytes, and dots elsewhere, are fine", () => {
    checkPublishable(treeOf(dir, { ["x".repeat(255)]: "", "..a/...": "", "a..b": "" }));
  });
});
