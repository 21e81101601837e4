import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeDirectory, makeDirectorySync } from "./make-directory.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-disk-"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

describe.each([
  ["makeDirectory", makeDirectory],
  ["makeDirectorySync", async (path: string) => await Promise.resolve(makeDirectorySync(path))],
])("%s", (_, make) => {
  it("makes those above it too, and leaves what is there", async () => {
    await make(join(dir, "a/b/c"));
    await writeFile(join(dir, "a/b/c/file"), "mine");
    for (const path of ["a/b/c", "a", ".", "a/b/c/../d/", "x//y"]) await make(`${dir}/${path}`);
    for (const path of ["a/b/c/file", "a/b/d", "x/y"]) await stat(join(dir, path));
    await mkdir(join(dir, "target"));
    await symlink(join(dir, "target"), join(dir, "link"));
    await make(join(dir, "link"));
    await make(join(dir, "link/below"));
    await stat(join(dir, "target/below"));
  });

  it.each([
    ["below a file", "file/below", "ENOTDIR"],
    ["where a file is", "file", "EEXIST"],
    ["where a dangling symlink is", "dangling", "EEXIST"],
  ])("fails %s", async (__, path, code) => {
    await writeFile(join(dir, "file"), "");
    await symlink(join(dir, "nowhere/at/all"), join(dir, "dangling"));
    await expect((async () => await make(join(dir, path)))()).rejects.toMatchObject({ code });
  });

  it("fails at once where nothing can be made", { timeout: 5000 }, async () => {
    for (const path of ["/proc/nope", "/proc/nope/x", "/proc/nope/x/y/z"])
      await expect((async () => await make(path))()).rejects.toThrow(/nope/);
  });
});
