import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { overlay } from "./overlay.ts";
import { Tree, type Entry } from "./tree.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-overlay-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Items = Record<string, TreeItem>;

/** Path to the size of a file, `/` for directories, the target of links. */
async function lay(layers: readonly Items[], maxEntries = 100): Promise<Record<string, string | number>> {
  const { entries } = await overlay(
    layers.map((items) => treeOf(dir, items)),
    maxEntries,
  );
  return Object.fromEntries(
    [...entries].map(([path, entry]) => [
      path,
      entry.kind === "file" ? entry.body.size : entry.kind === "dir" ? "/" : entry.target,
    ]),
  );
}

describe("OCI image-spec, layer.md", () => {
  test.each<[string, readonly Items[], Record<string, string | number>]>([
    [
      "files are added and replaced",
      [
        { a: "1", "d/b": "1" },
        { "d/b": "22", "d/c": "22" },
      ],
      { a: 1, d: "/", "d/b": 2, "d/c": 2 },
    ],
    ["a whiteout removes a file", [{ a: "1", b: "1" }, { ".wh.a": "" }], { b: 1 }],
    ["a whiteout removes a directory and all in it", [{ "d/e/x": "1", k: "1" }, { ".wh.d": "" }], { k: 1 }],
    ["a whiteout removes a symlink", [{ s: { symlink: "x" } }, { ".wh.s": "" }], {}],
    ["a whiteout of nothing", [{ a: "1" }, { ".wh.zzz": "" }], { a: 1 }],
    ["a whiteout leaves what its own layer has", [{ a: "1" }, { ".wh.a": "", a: "22" }], { a: 2 }],
    ["a whiteout below a directory that goes too", [{ "d/x": "1" }, { "d/.wh.x": "" }], { d: "/" }],
    ["a whiteout counts for lower layers only", [{ a: "1" }, { ".wh.a": "" }, { a: "333" }], { a: 3 }],
    [
      "an opaque directory hides what lower layers have in it",
      [
        { "d/a": "1", "d/e/b": "1", c: "1" },
        { "d/.wh..wh..opq": "", "d/n": "22" },
      ],
      { d: "/", c: 1, "d/n": 2 },
    ],
    [
      "an opaque root",
      [
        { a: "1", "d/b": "1" },
        { ".wh..wh..opq": "", n: "22" },
      ],
      { n: 2 },
    ],
    ["book-keeping of AUFS is left out", [{ a: "1" }, { ".wh..wh.plnk/x": "", ".wh..wh.aufs": "" }], { a: 1 }],
    ["a whiteout in the first layer", [{ ".wh.a": "", b: "1" }], { b: 1 }],
    ["a file in place of a directory", [{ "d/x": "1" }, { d: "22" }], { d: 2 }],
    ["a directory in place of a file", [{ d: "1" }, { "d/x": "22" }], { d: "/", "d/x": 2 }],
    ["a directory in place of a symlink", [{ s: { symlink: "/usr" } }, { "s/x": "22" }], { s: "/", "s/x": 2 }],
    ["a symlink in place of a directory", [{ "d/x": "1" }, { d: { symlink: "e" } }], { d: "e" }],
    ["a hard link to a file of a lower layer", [{ a: "1" }, { h: { hardlink: "a" } }], { a: 1, h: 1 }],
    ["no layers", [], {}],
  ])("%s", async (_, layers, expected) => {
    expect(await lay(layers)).toEqual(expected);
  });

  test.each<[string, readonly Items[], string]>([
    ["a whiteout without a name", [{ ".wh.": "" }], "ArchiveInvalid"],
    ["a whiteout of the directory above", [{ "d/.wh...": "" }], "ArchiveInvalid"],
    ["a hard link to nothing", [{ a: "1" }, { h: { hardlink: "gone" } }], "ArchiveInvalid"],
    [
      "a hard link to what the layer itself removes",
      [{ a: "1" }, { ".wh.a": "", h: { hardlink: "a" } }],
      "ArchiveInvalid",
    ],
    ["a hard link to a directory", [{ "d/x": "1" }, { h: { hardlink: "d" } }], "ArchiveInvalid"],
    [
      "more entries than the limit",
      [
        Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`a${i}`, ""])),
        Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`b${i}`, ""])),
      ],
      "ArchiveTooManyEntries",
    ],
  ])("refused: %s", async (_, layers, code) => {
    await expect(lay(layers)).rejects.toMatchObject({ code });
  });
});

test("symlinks that gave way inside a layer stay counted", async () => {
  const layers = [treeOf(dir, { s: { symlink: "x" }, "s/a": "1" }), treeOf(dir, { b: "1" })];
  expect((await overlay(layers, 100)).displacedLinks).toBe(1);
});

test("removing costs what is removed, not what is there", async () => {
  const base = treeOf(dir, Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`d${i}/f`, ""])));
  const layers = [base];
  for (let i = 0; i < 5000; i++) {
    const layer = new Tree(10);
    const whiteout: Entry = { kind: "file", executable: false, body: { file: "", offset: 0, size: 0 } };
    layer.put(i % 2 === 0 ? `.wh.d${i}` : `d${i}/.wh..wh..opq`, whiteout);
    layers.push(layer);
  }
  // A pass over all entries for each layer would be two hundred million steps.
  let steps = 0;
  const merged = await overlay(layers, 100_000, undefined);
  for (const _ of merged.entries) steps += 1;
  expect(steps).toBe(40_000 - 2 * 2500 - 2500);
}, 15_000);
