import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { resolveLinks } from "./links.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-links-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const to = (symlink: string): TreeItem => ({ symlink });

async function follow(
  items: Record<string, TreeItem>,
  limits = defaultLimits,
): Promise<{ paths: string[]; symlinks: number }> {
  const { tree, symlinks } = await resolveLinks(treeOf(dir, items), "Follow", limits);
  return { paths: [...tree.entries].map(([path, { kind }]) => (kind === "dir" ? `${path}/` : path)), symlinks };
}

describe("Skip", () => {
  test("symlinks are left out and counted", async () => {
    const { tree, symlinks } = await resolveLinks(
      treeOf(dir, { a: "1", s: to("a"), "d/t": to("/etc") }),
      "Skip",
      defaultLimits,
    );
    expect([...tree.entries.keys()]).toEqual(["a", "d"]);
    expect(symlinks).toBe(2);
  });

  test("symlinks that had given way count too", async () => {
    const tree = treeOf(dir, { s: to("/etc"), "s/passwd": "x" });
    expect((await resolveLinks(tree, "Skip", defaultLimits)).symlinks).toBe(1);
  });

  test("a hard link to nothing is refused", async () => {
    for (const policy of ["Skip", "Follow"] as const) {
      await expect(resolveLinks(treeOf(dir, { h: { hardlink: "gone" } }), policy, defaultLimits)).rejects.toMatchObject(
        { code: "ArchiveInvalid" },
      );
    }
  });
});

describe("Follow", () => {
  test.each<[string, Record<string, TreeItem>, string[], number]>([
    ["a file", { a: "1", s: to("a") }, ["a", "s"], 0],
    ["a file elsewhere", { "d/a": "1", "e/s": to("../d/a") }, ["d/", "d/a", "e/", "e/s"], 0],
    [
      "a directory, with all in it",
      { "d/a": "1", "d/e/b": "2", s: to("d") },
      ["d/", "d/a", "d/e/", "d/e/b", "s/", "s/a", "s/e/", "s/e/b"],
      0,
    ],
    [
      "an absolute target begins at the root of the tree",
      { "d/a": "1", "e/s": to("/d/a") },
      ["d/", "d/a", "e/", "e/s"],
      0,
    ],
    ["a link to a link", { a: "1", s: to("t"), t: to("./a") }, ["a", "s", "t"], 0],
    ["a link inside a linked directory", { "d/l": to("../a"), a: "1", s: to("d") }, ["a", "d/", "d/l", "s/", "s/l"], 0],
    [
      ".. after a link counts from where that leads",
      { "d/e/x": "1", "d/y": "2", s: to("d/e"), t: to("s/../y") },
      ["d/", "d/e/", "d/e/x", "d/y", "s/", "s/x", "t"],
      0,
    ],
    ["a broken one", { a: "1", s: to("gone") }, ["a"], 1],
    ["a path behind a file", { a: "1", s: to("a/b"), t: to("a/") }, ["a"], 2],
    ["one that leads out", { a: "1", s: to("../a"), t: to("d/../../a"), "d/x": "1" }, ["a", "d/", "d/x"], 2],
    ["/etc/passwd of this machine", { a: "1", s: to("/etc/passwd") }, ["a"], 1],
    ["a loop", { a: "1", s: to("t"), t: to("s"), u: to("u") }, ["a"], 3],
    ["a link to its own directory", { "d/a": "1", "d/s": to(".") }, ["d/", "d/a"], 1],
    ["a link to the directory above", { "d/e/s": to("../.."), "d/a": "1" }, ["d/", "d/a", "d/e/"], 1],
    ["the root", { "d/a": "1", s: to("/") }, ["d/", "d/a"], 1],
  ])("%s", async (_, items, paths, symlinks) => {
    // Paths of the result come in the order of the walk.
    const found = await follow(items);
    expect(found.paths.sort()).toEqual(paths.sort());
    expect(found.symlinks).toBe(symlinks);
  });

  test("the content is that of the target", async () => {
    const source = treeOf(dir, { a: { executable: "1" }, s: to("a") });
    const { tree } = await resolveLinks(source, "Follow", defaultLimits);
    expect(tree.entries.get("s")).toEqual(source.entries.get("a"));
  });

  test("41 links in a row are too many, 40 are not", async () => {
    const chain = (length: number): Record<string, TreeItem> =>
      Object.fromEntries([["l0", "1"], ...Array.from({ length }, (_, i) => [`l${i + 1}`, to(`l${i}`)])]) as Record<
        string,
        TreeItem
      >;
    expect((await follow(chain(40))).symlinks).toBe(0);
    expect((await follow(chain(41))).symlinks).toBe(1);
  });

  test("a directory that doubles at each level is refused, quickly", async () => {
    const items: Record<string, TreeItem> = { "d0/x": "1" };
    for (let i = 1; i < 40; i++) {
      items[`d${i}/a`] = to(`../d${i - 1}`);
      items[`d${i}/b`] = to(`../d${i - 1}`);
    }
    const started = performance.now();
    await expect(follow(items)).rejects.toMatchObject({ code: "ArchiveTooManyEntries" });
    // Without its bound it would take years.
    expect(performance.now() - started).toBeLessThan(60_000);
  });

  test("others have their turn meanwhile", async () => {
    const items: Record<string, TreeItem> = { "d0/x": "1" };
    for (let i = 1; i < 14; i++) {
      items[`d${i}/a`] = to(`../d${i - 1}`);
      items[`d${i}/b`] = to(`../d${i - 1}`);
    }
    let turns = 0;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const started = performance.now();
    await follow(items);
    const took = performance.now() - started;
    clearImmediate(next);
    // However slow the machine is: a turn comes at least every few slices of 10 ms.
    expect(turns).toBeGreaterThan(took / 100);
  });

  test("targets of thousands of parts are refused, quickly", async () => {
    const items: Record<string, TreeItem> = { d: null };
    for (let i = 0; i < 39; i++) items[`m${i}`] = to(`${"d/../".repeat(800)}m${i + 1}`);
    items["m39"] = to("d");
    for (let i = 0; i < 5000; i++) items[`s${i}`] = to("m0");
    const started = performance.now();
    await expect(follow(items)).rejects.toMatchObject({ code: "ArchiveTooManyEntries" });
    expect(performance.now() - started).toBeLessThan(60_000);
  });

  test("copies count towards the size", async () => {
    const items = { a: "x".repeat(600), s: to("a") };
    await expect(follow(items, { ...defaultLimits, maxExpandedBytes: 1000 })).rejects.toMatchObject({
      code: "ArchiveTooLarge",
    });
  });
});
