import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findManifests, readManifestFile } from "./manifest-files.ts";

const signal = new AbortController().signal;
let base: string;
let dir: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "strata-manifests-"));
  dir = join(base, "dir");
  await mkdir(dir);
});

afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

const names = async (): Promise<string[]> => (await findManifests(dir, signal)).files.map(({ name }) => name);

describe("findManifests", () => {
  it("finds manifests at any depth, in order", async () => {
    await mkdir(join(dir, "b/c"), { recursive: true });
    await mkdir(join(dir, "d.yaml"));
    await mkdir(join(dir, ".git"));
    for (const name of [
      "z.yaml",
      "b/c/x.yml",
      "b/a.json",
      "A.YAML",
      "readme.md",
      ".hidden.yaml",
      ".git/x.yaml",
      "d.yaml/e.yaml",
      "yaml",
    ])
      await writeFile(join(dir, name), "");
    expect(await names()).toEqual(["A.YAML", "b/a.json", "b/c/x.yml", "d.yaml/e.yaml", "z.yaml"]);
  });

  it("follows links as a mounted ConfigMap has them, and no others", async () => {
    await mkdir(join(dir, "..2026_11_21"));
    await writeFile(join(dir, "..2026_11_21/a.yaml"), "a");
    await symlink("..2026_11_21", join(dir, "..data"));
    await symlink("..data/a.yaml", join(dir, "a.yaml"));
    await writeFile(join(base, "secret.yaml"), "s");
    await symlink("../secret.yaml", join(dir, "escape.yaml"));
    await symlink("/", join(dir, "root"));
    await symlink(".", join(dir, "loop"));
    await symlink("nothing.yaml", join(dir, "dangling.yaml"));
    await symlink("self.yaml", join(dir, "self.yaml"));
    const { files, problems } = await findManifests(dir, signal);
    expect(files.map(({ name }) => name)).toEqual(["a.yaml"]);
    expect(await readManifestFile(files[0]!.path)).toBe("a");
    expect(problems).toEqual([
      expect.stringMatching(/^dangling\.yaml: .*ENOENT/),
      "escape.yaml: it is a symbolic link out of the directory, which is not followed",
      expect.stringMatching(/^self\.yaml: .*ELOOP/),
    ]);
  });

  it("works below a link itself", async () => {
    await writeFile(join(dir, "a.yaml"), "a");
    await symlink("dir", join(base, "link"));
    expect((await findManifests(join(base, "link"), signal)).files.map(({ name }) => name)).toEqual(["a.yaml"]);
  });

  it.each<[string, () => Promise<void>]>([
    ["written", async () => await writeFile(join(dir, "a.yaml"), "other")],
    [
      "replaced by one of the same size",
      async () => {
        await writeFile(join(dir, "new"), "b");
        await rename(join(dir, "new"), join(dir, "a.yaml"));
      },
    ],
    ["made readable", async () => await chmod(join(dir, "a.yaml"), 0o640)],
  ])("sees that a file was %s", async (_, change) => {
    await writeFile(join(dir, "a.yaml"), "a");
    const [before] = (await findManifests(dir, signal)).files;
    expect((await findManifests(dir, signal)).files[0]).toEqual(before);
    await new Promise((done) => setTimeout(done, 5));
    await change();
    expect((await findManifests(dir, signal)).files[0]?.version).not.toBe(before?.version);
  });

  it("goes only so deep", async () => {
    await mkdir(join(dir, "d/".repeat(20)), { recursive: true });
    await writeFile(join(dir, "d/".repeat(16), "ok.yaml"), "");
    await writeFile(join(dir, "d/".repeat(17), "deep.yaml"), "");
    const { files, problems } = await findManifests(dir, signal);
    expect(files.map(({ name }) => name)).toEqual([`${"d/".repeat(16)}ok.yaml`]);
    expect(problems).toEqual([expect.stringContaining("more than 16 directories deep")]);
  });

  it("throws where there is no directory, and when it is stopped", async () => {
    await expect(findManifests(join(base, "none"), signal)).rejects.toThrow("ENOENT");
    await writeFile(join(base, "file"), "");
    await expect(findManifests(join(base, "file"), signal)).rejects.toThrow("ENOTDIR");
    await writeFile(join(dir, "a.yaml"), "");
    await expect(findManifests(dir, AbortSignal.abort())).rejects.toThrow("abort");
  });
});

describe("readManifestFile", () => {
  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    [
      "one that is too large",
      async (path) => {
        await writeFile(path, "");
        await truncate(path, 4 * 1024 * 1024 + 1);
      },
      /it has 4194305 bytes/,
    ],
    ["one that is not text", async (path) => await writeFile(path, Buffer.from([0x61, 0xff])), /utf-8/],
    ["a link", async (path) => await symlink("elsewhere", path), /ELOOP/],
    ["a directory", async (path) => await mkdir(path), /EISDIR/],
  ])("refuses %s", async (_, make, problem) => {
    await make(join(dir, "a.yaml"));
    await expect(readManifestFile(join(dir, "a.yaml"))).rejects.toThrow(problem);
  });
});
