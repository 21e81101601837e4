import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, messageOf } from "../errors.ts";
import { assertMayClear, makeRoom } from "./make-room.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-room-"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function problem(work: Promise<void>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error !== undefined) expect(codeOf(error)).toBe("StorageFailed");
  return error === undefined ? "none" : messageOf(error);
}

describe("a directory is cleared", () => {
  it.each<[string, () => string, RegExp]>([
    ["an empty or a foreign one", () => join(dir, "out"), /^none$/],
    ["one that is not there", () => join(dir, "nowhere"), /^none$/],
    ["one beside the input", () => join(dir, "inputs"), /^none$/],
    ["a whole file system", () => "/", /a home or a whole file system/],
    ["the home", () => join(dir, "home"), /a home or a whole file system/],
    ["the home by a link", () => join(dir, "link"), /a home or a whole file system/],
    ["one above the current directory", () => dirname(process.cwd()), /the current directory is in it/],
    ["a Git repository", () => join(dir, "repository"), /a Git repository/],
    ["what is read", () => join(dir, "input"), /is read for the build/],
    ["what holds the file that is read", () => join(dir, "specs"), /is read for the build/],
  ])("%s", async (_, path, expected) => {
    for (const name of ["out", "home", "repository/.git", "input", "inputs", "specs"])
      await mkdir(join(dir, name), { recursive: true });
    await symlink(join(dir, "home"), join(dir, "link"));
    await writeFile(join(dir, "specs/app.yaml"), "");
    const inputs = [join(dir, "input"), join(dir, "specs/app.yaml")];
    expect(await problem(assertMayClear(path(), { home: join(dir, "home"), inputs }))).toMatch(expected);
  });
});

describe("room for a build", () => {
  const kinds = new Map([
    ["a", "file"],
    ["d", "dir"],
    ["d/b", "file"],
    ["was-dir", "file"],
  ] as const);
  const has = (path: string): "file" | "dir" | undefined => kinds.get(path as "a");

  it("is there where nothing else is", async () => {
    await mkdir(join(dir, "d"));
    await writeFile(join(dir, "d/b"), "x");
    await makeRoom(dir, has, false);
    expect(await readFile(join(dir, "d/b"), "utf8")).toBe("x");
  });

  it("is refused beside anything else, which is named, and nothing is removed", async () => {
    for (const name of ["1", "2", "d", "e/f"]) await mkdir(join(dir, name), { recursive: true });
    await writeFile(join(dir, "d/old"), "x");
    await writeFile(join(dir, "a"), "x");
    expect(await problem(makeRoom(dir, has, false))).toMatch(/: 1, 2, d\/old and 1 more; write to a new directory/);
    for (const name of ["1", "2", "d/old", "e/f", "a"]) await stat(join(dir, name));
  });

  it("is made by force, of what is of another kind too, and a link's target stays", async () => {
    const outside = join(dir, "outside");
    const root = join(dir, "root");
    for (const path of [outside, join(root, "was-dir/x"), join(root, "d/deep/er")])
      await mkdir(path, { recursive: true });
    await writeFile(join(outside, "mine"), "x");
    await writeFile(join(root, "a"), "kept");
    await symlink(outside, join(root, "link"));
    await symlink(outside, join(root, "d/b"));
    await makeRoom(root, has, true);
    expect(await readFile(join(root, "a"), "utf8")).toBe("kept");
    expect(await readFile(join(outside, "mine"), "utf8")).toBe("x");
    for (const name of ["was-dir", "d/deep", "d/b", "link"])
      await expect(stat(join(root, name))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
