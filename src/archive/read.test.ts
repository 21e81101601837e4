import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gnuLong, paxEntry, tarOf } from "../testing/archives/tar.ts";
import { budgetOf, inPieces } from "../testing/archives/trees.ts";
import { readTar } from "./read.ts";
import type { Tree } from "./tree.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-read-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function read(tar: Buffer): ReturnType<typeof readTar> {
  return readTar(inPieces(tar, 700), {
    compression: "none",
    spoolPath: join(dir, "spool"),
    budget: budgetOf(),
    signal: new AbortController().signal,
  });
}

/** Path to what is there: the bytes of a file lie in the tar itself. */
function summary(tree: Tree, tar: Buffer): Record<string, string> {
  return Object.fromEntries(
    [...tree.entries].map(([path, entry]) => {
      if (entry.kind === "file")
        return [
          path,
          `${tar.toString("utf8", entry.body.offset, entry.body.offset + entry.body.size)}${entry.executable ? "*" : ""}`,
        ];
      return [path, entry.kind === "dir" ? "/" : `${entry.kind} ${entry.target}`];
    }),
  );
}

describe("a tree is what unpacking would give", () => {
  test.each<[string, Buffer, Record<string, string>, number?]>([
    [
      "spellings of one path",
      tarOf({ name: "./a", content: "1" }, { name: "d//b", content: "2" }, { name: "d/./c/", type: "5" }),
      { a: "1", d: "/", "d/b": "2", "d/c": "/" },
    ],
    ["the root", tarOf({ name: "./", type: "5" }, { name: ".", type: "5" }), {}],
    [
      "the executable bit of anybody",
      tarOf({ name: "a", mode: 0o645 }, { name: "b", mode: 0o666 }, { name: "c", mode: 0o100744 }),
      { a: "*", b: "", c: "*" },
    ],
    ["of two files the later", tarOf({ name: "a", content: "old" }, { name: "./a", content: "new" }), { a: "new" }],
    [
      "a directory twice",
      tarOf({ name: "d", type: "5" }, { name: "d/x", content: "1" }, { name: "d/", type: "5" }),
      { d: "/", "d/x": "1" },
    ],
    ["names that differ in case", tarOf({ name: "a", content: "1" }, { name: "A", content: "2" }), { a: "1", A: "2" }],
    [
      "names that differ in Unicode normal form",
      tarOf({ name: "\u00e9", content: "1" }, { name: "e\u0301", content: "2" }),
      { "\u00e9": "1", "e\u0301": "2" },
    ],
    [
      "names of Object's properties",
      tarOf({ name: "__proto__/x", content: "1" }, { name: "constructor", content: "2" }),
      { ["__proto__"]: "/", "__proto__/x": "1", constructor: "2" },
    ],
    [
      "a hard link to what was before it",
      tarOf(
        { name: "a", content: "1", mode: 0o755 },
        { name: "d/h", type: "1", link: "./a" },
        { name: "a", content: "2" },
      ),
      { a: "2", d: "/", "d/h": "1*" },
    ],
    ["a hard link to itself", tarOf({ name: "a", content: "1" }, { name: "./a", type: "1", link: "a" }), { a: "1" }],
    [
      "a hard link to what comes later, or never",
      tarOf({ name: "h", type: "1", link: "a" }, { name: "a", content: "1" }),
      { h: "hardlink a", a: "1" },
    ],
    [
      "a hard link to a symlink",
      tarOf({ name: "s", type: "2", link: "x" }, { name: "h", type: "1", link: "s" }),
      { s: "symlink x", h: "symlink x" },
    ],
    [
      "symlinks as they stand, wherever they point",
      tarOf({ name: "s", type: "2", link: "/etc/passwd" }, { name: "t", type: "2", link: "../../x" }),
      { s: "symlink /etc/passwd", t: "symlink ../../x" },
    ],
    [
      "a file through a symlink stays in the tree",
      tarOf({ name: "s", type: "2", link: "/etc" }, { name: "s/passwd", content: "x" }),
      { s: "/", "s/passwd": "x" },
      1,
    ],
    [
      "a symlink in place of a directory with content",
      tarOf({ name: "d/x", content: "1" }, { name: "d", type: "2", link: "/etc" }),
      { d: "/", "d/x": "1" },
      1,
    ],
    [
      "a file in place of a symlink",
      tarOf({ name: "s", type: "2", link: "/etc/passwd" }, { name: "s", content: "x" }),
      { s: "x" },
      1,
    ],
    [
      "devices and FIFOs are left out",
      tarOf({ name: "c", type: "3" }, { name: "b", type: "4" }, { name: "f", type: "6" }, { name: "a" }),
      { a: "" },
    ],
  ])("%s", async (_, tar, expected, displaced = 0) => {
    const { tree } = await read(tar);
    expect(Object.entries(summary(tree, tar))).toEqual(Object.entries(expected));
    expect(tree.displacedLinks).toBe(displaced);
  });

  test("what was left out is counted", async () => {
    expect((await read(tarOf({ name: "c", type: "3" }, { name: "f", type: "6" }))).counts).toEqual({ special: 2 });
  });
});

test("a path may have as many parts as consumers can unpack", async () => {
  const path = `${"d/".repeat(900)}x`;
  const { tree } = await read(tarOf(paxEntry([["path", path]]), { name: "ok", content: "x" }));
  expect(tree.entries.get(path)).toMatchObject({ kind: "file" });
});

describe("refused", () => {
  const deep = "d/".repeat(1100);
  test.each<[string, Buffer, string]>([
    ["a file and a directory of one name", tarOf({ name: "a" }, { name: "a/b" }), "ArchiveInvalid"],
    ["a directory and a file of one name", tarOf({ name: "a/b" }, { name: "a" }), "ArchiveInvalid"],
    ["a file in place of the root", tarOf({ name: "./" }, { name: "." }), "ArchiveInvalid"],
    [
      "a hard link to a directory",
      tarOf({ name: "d", type: "5" }, { name: "h", type: "1", link: "d/" }),
      "ArchiveInvalid",
    ],
    ["a hard link to the root", tarOf({ name: "h", type: "1", link: "./" }), "ArchiveInvalid"],
    ["a hard link that climbs", tarOf({ name: "h", type: "1", link: "../a" }), "ArchiveUnsafePath"],
    ["a hard link to an absolute path", tarOf({ name: "h", type: "1", link: "/etc/passwd" }), "ArchiveUnsafePath"],
    ["..", tarOf({ name: ".." }), "ArchiveUnsafePath"],
    ["../a", tarOf({ name: "../a" }), "ArchiveUnsafePath"],
    ["a/..", tarOf({ name: "a/.." }), "ArchiveUnsafePath"],
    ["/", tarOf({ name: "/", type: "5" }), "ArchiveUnsafePath"],
    ["//a", tarOf({ name: "//a" }), "ArchiveUnsafePath"],
    ["a PAX path that climbs", tarOf(paxEntry([["path", "a/../../b"]]), { name: "ok" }), "ArchiveUnsafePath"],
    ["a GNU name that climbs", tarOf(gnuLong("L", "../b"), { name: "ok" }), "ArchiveUnsafePath"],
    ["a prefix that climbs", tarOf({ name: "b", prefix: ".." }), "ArchiveUnsafePath"],
    ["an immensely deep path", tarOf(paxEntry([["path", `${deep}x`]]), { name: "ok" }), "ArchiveUnsafePath"],
  ])("%s", async (_, tar, code) => {
    await expect(read(tar)).rejects.toMatchObject({ code });
  });
});
