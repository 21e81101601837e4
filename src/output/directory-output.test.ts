import { execFile } from "node:child_process";
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Tree, type FileEntry } from "../archive/tree.ts";
import { defaultLimits } from "../config.ts";
import { codeOf, messageOf } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import { treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { DirectoryOutput } from "./directory-output.ts";

let dir: string;
let out: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-tree-output-"));
  out = join(dir, "out");
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

const never = new AbortController().signal;
const umask = process.umask();

/** So many files are written by several threads; with fewer there is one. */
const manyFiles = 400;
const nameOf = (n: number): string => `d${Math.floor(n / 100)}/f${String(n).padStart(3, "0")}`;
const many = (): Record<string, TreeItem> =>
  Object.fromEntries(Array.from({ length: manyFiles }, (_, n) => [nameOf(n), `file ${n}\n`.repeat(n)]));

async function writeTreeOutput(tree: Tree, root: string, signal: AbortSignal): Promise<void> {
  const output = DirectoryOutput.open(root, false, signal);
  try {
    await output.finish(tree);
  } finally {
    await output.close();
  }
}

async function write(items: Record<string, TreeItem>, signal = never): Promise<void> {
  await writeTreeOutput(treeOf(dir, items), out, signal);
}

async function contentsOf(names: Iterable<string>): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const name of names) contents[name] = await readFile(join(out, name), "utf8");
  return contents;
}

async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => "nothing was thrown",
    (thrown: unknown) => thrown,
  );
  return { code: codeOf(error), message: messageOf(error) };
}

async function countFiles(): Promise<number> {
  return (await readdir(out, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
}

describe.each<[string, () => Record<string, TreeItem>]>([
  ["by one thread", () => ({})],
  ["by several threads", many],
])("a tree that is written %s", (_, more) => {
  it("is there with its directories and executables", async () => {
    const items = {
      ...more(),
      empty: null,
      "bin/run": { executable: "#!" },
      a: "one",
      nothing: "",
      "deep/er/still": "x",
    };
    await write(items);
    const { empty: _, "bin/run": run, ...files } = items;
    expect(await contentsOf(Object.keys(files))).toEqual(files);
    expect(await readFile(join(out, "bin/run"), "utf8")).toBe(run.executable);
    expect((await readdir(join(out, "empty"))).length).toBe(0);
    expect(await countFiles()).toBe(Object.keys(files).length + 1);
    expect((await stat(join(out, "a"))).mode & 0o777).toBe(0o644 & ~umask);
    expect((await stat(join(out, "bin/run"))).mode & 0o777).toBe(0o755 & ~umask);
  });

  it("has whole files, however large and wherever they begin", async () => {
    const large = Buffer.alloc(3_000_001, "strata ");
    const items = {
      ...more(),
      large,
      middle: Buffer.alloc(262_144, "m"),
      small: "s",
      last: Buffer.alloc(262_143, "l"),
    };
    await write(items);
    for (const name of ["large", "middle", "last"] as const)
      expect(sha256Of(await readFile(join(out, name))), name).toBe(sha256Of(items[name]));
    expect(await readFile(join(out, "small"), "utf8")).toBe("s");
  });

  it("takes its files from several scratch files, in any order", async () => {
    const [first, second] = [treeOf(dir, { ...more(), b: "bee", d: "dee" }), treeOf(dir, { a: "aye", c: "sea" })];
    const tree = new Tree(defaultLimits.maxEntries);
    for (const path of ["d", "a", "b", "c"]) tree.put(path, (first.entries.get(path) ?? second.entries.get(path))!);
    for (const [path, entry] of first.entries) tree.put(path, entry);
    await writeTreeOutput(tree, out, never);
    expect(await contentsOf(["a", "b", "c", "d"])).toEqual({ a: "aye", b: "bee", c: "sea", d: "dee" });
  });

  it("replaces files that are there, with their modes, and touches nothing beside others", async () => {
    await write({ ...more(), a: "a long first text" });
    await chmod(join(out, "a"), 0o400);
    await write({ ...more(), a: { executable: "two" } });
    expect(await contentsOf(["a"])).toEqual({ a: "two" });
    await writeFile(join(out, "other"), "kept");
    expect(await refusal(write({ ...more(), a: "three" }))).toMatchObject({ code: "StorageFailed" });
    expect(await contentsOf(["a", "other"])).toEqual({ a: "two", other: "kept" });
    expect((await stat(join(out, "a"))).mode & 0o777).toBe(0o755 & ~umask);
  });

  it("leaves the content that a file has under another name", async () => {
    await mkdir(out);
    await writeFile(join(dir, "elsewhere"), "mine");
    await link(join(dir, "elsewhere"), join(out, "a"));
    await write({ ...more(), a: "one" });
    expect(await readFile(join(dir, "elsewhere"), "utf8")).toBe("mine");
    expect(await readFile(join(out, "a"), "utf8")).toBe("one");
  });

  it.each<[string, string, Record<string, TreeItem>]>([
    ["to a file", "z", { z: "one" }],
    ["to a directory", "z", { "z/a": "one" }],
    ["deeper", "y/z", { "y/z/e/a": "one" }],
    ["instead of an empty directory", "z", { z: null }],
  ])("follows no symlink %s", async (__, place, items) => {
    const target = join(dir, "target");
    await mkdir(target);
    await mkdir(join(out, place, ".."), { recursive: true });
    await symlink(target, join(out, place));
    const { code, message } = await refusal(write({ ...more(), ...items }));
    expect(code).toBe("ArchiveUnsafePath");
    expect(message).toContain("symlink");
    expect(await readdir(target)).toEqual([]);
  });

  it("creates nothing through a dangling symlink", async () => {
    await mkdir(out);
    await symlink(join(dir, "created"), join(out, "a"));
    expect(await refusal(write({ ...more(), a: "one" }))).toMatchObject({ code: "ArchiveUnsafePath" });
    await expect(stat(join(dir, "created"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("does not replace a directory by a file, or a file by a directory", async () => {
    await mkdir(join(out, "z"), { recursive: true });
    expect(await refusal(write({ ...more(), z: "one" }))).toMatchObject({ code: "ArchiveUnsafePath" });
    await rm(out, { recursive: true });
    await mkdir(out);
    await writeFile(join(out, "y"), "mine");
    expect(await refusal(write({ ...more(), "y/a": "one" }))).toMatchObject({ code: "ArchiveUnsafePath" });
    expect(await readFile(join(out, "y"), "utf8")).toBe("mine");
  });

  it.skipIf(process.getuid?.() === 0)("tells of a directory that may not be written to", async () => {
    await mkdir(join(out, "z"), { recursive: true });
    await chmod(join(out, "z"), 0o500);
    const { code, message } = await refusal(write({ ...more(), "z/a": "one" }));
    expect(code).toBe("StorageFailed");
    expect(message).toContain("EACCES");
  });

  it("tells of a name that the file system refuses", async () => {
    const { code, message } = await refusal(write({ ...more(), ["z".repeat(300)]: "one" }));
    expect(code).toBe("StorageFailed");
    expect(message).toContain("ENAMETOOLONG");
    expect(message).toContain(out);
  });

  it("tells of a scratch file that is gone or too short", async () => {
    const gone = treeOf(dir, { ...more(), a: "one" });
    const { file } = (gone.entries.get("a") as { body: { file: string } }).body;
    await writeFile(file, "");
    expect(await refusal(writeTreeOutput(gone, out, never))).toMatchObject({ code: "StorageFailed" });
    await unlink(file);
    expect(await refusal(writeTreeOutput(gone, out, never))).toMatchObject({ code: "StorageFailed" });
  });

  it("is not begun once the command is stopped", async () => {
    expect(await refusal(write({ ...more(), a: "one" }, AbortSignal.abort()))).toMatchObject({ code: "Aborted" });
    await expect(stat(out)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("stops when the disk takes no more", async () => {
    const items = { ...more(), large: Buffer.alloc(2_000_000, "x") };
    const tree = treeOf(dir, items);
    const program = `
      import { Tree } from ${JSON.stringify(import.meta.resolve("../archive/tree.ts"))};
      import { DirectoryOutput } from ${JSON.stringify(import.meta.resolve("./directory-output.ts"))};
      const tree = new Tree(${defaultLimits.maxEntries});
      for (const [path, entry] of ${JSON.stringify([...tree.entries])}) tree.put(path, entry);
      const output = DirectoryOutput.open(${JSON.stringify(out)}, false, new AbortController().signal);
      await output.finish(tree).catch(({ code, message }) => console.log(code, message));
      await output.close();`;
    // A limit to the size of a file fails the way a full disk does: part of a write is done, the next one fails.
    const { stdout } = await promisify(execFile)("/bin/sh", [
      "-c",
      'ulimit -f 1000; exec "$@"',
      "sh",
      process.execPath,
      "--input-type=module",
      "-e",
      program,
    ]);
    expect(stdout).toMatch(/^StorageFailed .*EFBIG/);
    expect(await readdir(dir)).not.toContain("out");
    expect((await readdir(dir)).filter((name) => name.includes("part"))).toEqual([]);
  });
});

describe("a command that is stopped while files are written", () => {
  it("writes none after it has said so", async () => {
    await mkdir(out);
    const tree = treeOf(dir, { first: "x".repeat(4000) });
    const entry = tree.entries.get("first")!;
    for (let n = 0; n < 40_000; n += 1) tree.put(`d${n % 10}/${n}`, entry);
    const abort = new AbortController();
    const writing = refusal(writeTreeOutput(tree, out, abort.signal));
    while ((await readdir(join(out, "d0")).catch(() => [])).length === 0) await sleep(1);
    abort.abort(new DOMException("stopped", "AbortError"));
    expect(await writing).toMatchObject({ code: "Aborted" });
    const files = await countFiles();
    expect(files).toBeGreaterThan(0);
    expect(files).toBeLessThan(40_000);
    await sleep(50);
    expect(await countFiles()).toBe(files);
  });
});

/** @param written how much of the scratch file is there */
function offerAll(
  output: DirectoryOutput,
  tree: Tree,
  { prefix = "", written = Infinity }: { prefix?: string; written?: number } = {},
): void {
  for (const [path, entry] of tree.entries)
    if (entry.kind === "file") output.offer(`${prefix}${path}`, entry, () => written);
}

describe("a new directory", () => {
  const partsLeft = async (): Promise<string[]> => (await readdir(dir)).filter((name) => name.startsWith("out"));

  /** All of the layers' files are offered, then `published` is what remains of them. */
  async function writeAhead(layers: readonly Tree[], published: Tree): Promise<void> {
    const output = DirectoryOutput.open(out, false, never);
    try {
      for (const layer of layers) offerAll(output, layer);
      await output.finish(published);
    } finally {
      await output.close();
    }
  }

  async function expectContent(tree: Tree): Promise<void> {
    const paths = [...tree.entries].flatMap(([path, { kind }]) => (kind === "file" ? [path] : []));
    const found = await readdir(out, { recursive: true });
    expect(found.sort()).toEqual([...tree.entries.keys()].sort());
    for (const path of paths) {
      const { body, executable } = tree.entries.get(path) as FileEntry;
      expect(
        (await readFile(join(out, path))).equals(
          (await readFile(body.file)).subarray(body.offset, body.offset + body.size),
        ),
        path,
      ).toBe(true);
      expect((await stat(join(out, path))).mode & 0o111, path).toBe(executable ? 0o111 & ~umask : 0);
    }
  }

  it.each([
    ["few", 3],
    ["many", 600],
  ])("gets %s files that were written ahead", async (_, count) => {
    const tree = treeOf(dir, {
      empty: null,
      ...Object.fromEntries(
        Array.from({ length: count }, (__, n) => [`d${n % 3}/e/${n}`, n % 2 === 0 ? `${n}` : { executable: `${n}` }]),
      ),
    });
    await writeAhead([tree], tree);
    await expectContent(tree);
    expect(await partsLeft()).toEqual(["out"]);
    expect((await stat(out)).mode & 0o777).toBe(0o777 & ~umask);
  });

  it.each<[string, number]>([
    ["few", 0],
    ["many", 600],
  ])("loses what was written ahead of %s files and is not published", async (_, count) => {
    const others = (): Record<string, TreeItem> =>
      Object.fromEntries(Array.from({ length: count }, (__, n) => [`bulk/${n}`, `${n}`]));
    const first = treeOf(dir, {
      ...others(),
      "gone/deep/er/file": "x",
      "half/gone": "x",
      "half/kept": "kept",
      changed: "first",
      turned: "a file",
      "folder/file": "x",
      mode: "m",
    });
    const second = treeOf(dir, {
      changed: "second",
      "turned/file": "in a directory",
      folder: "a file",
      mode: { executable: "m" },
      late: "new",
    });
    const published = new Tree(defaultLimits.maxEntries);
    for (const [path, entry] of first.entries)
      if (/^(?:bulk|half)(?:$|\/(?!gone))/.test(path)) published.put(path, entry);
    for (const [path, entry] of second.entries) published.put(path, entry);
    await writeAhead([first, second], published);
    await expectContent(published);
  });

  it("is not written ahead of the scratch file", async () => {
    const tree = treeOf(dir, Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`d/${n}`, `content ${n}`])));
    const { file } = (tree.entries.get("d/0") as FileEntry).body;
    const bytes = await readFile(file);
    await writeFile(file, "");
    const output = DirectoryOutput.open(out, false, never);
    offerAll(output, tree, { written: 0 });
    await sleep(20);
    await writeFile(file, bytes);
    await output.finish(tree);
    await output.close();
    await expectContent(tree);
  });

  it("does not take names ahead that may be refused", async () => {
    const published = treeOf(dir, { a: "one" });
    const long = treeOf(dir, { [`${"d/".repeat(2000)}f`]: "x", ["n".repeat(300)]: "x", "back\\slash": "x" });
    await writeAhead([long], published);
    await expectContent(published);
  });

  it("is not there when the layers turn out to be broken", async () => {
    const tree = treeOf(dir, Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`d/${n}`, `content ${n}`])));
    const output = DirectoryOutput.open(join(out, "deeper"), false, never);
    offerAll(output, tree);
    await output.close();
    expect(await readdir(out)).toEqual([]);
  });

  it("tells while layers are read that the disk takes no more", async () => {
    const tree = treeOf(dir, Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`d/${n}`, `content ${n}`])));
    await unlink((tree.entries.get("d/0") as FileEntry).body.file);
    const output = DirectoryOutput.open(out, false, never);
    const offerForever = async (): Promise<void> => {
      for (let n = 0; ; n += 1) {
        offerAll(output, tree, { prefix: `${n}-` });
        await sleep(1);
      }
    };
    const { code, message } = await refusal(offerForever());
    expect(code).toBe("StorageFailed");
    expect(message).toContain("ENOENT");
    await output.close();
    expect(await partsLeft()).toEqual([]);
  });

  it("that appeared meanwhile is not replaced", async () => {
    const tree = treeOf(dir, { a: "one" });
    const output = DirectoryOutput.open(out, false, never);
    await mkdir(out);
    await writeFile(join(out, "mine"), "mine");
    expect(await refusal(output.finish(tree))).toMatchObject({ code: "StorageFailed" });
    await output.close();
    expect(await readdir(out)).toEqual(["mine"]);
    expect(await partsLeft()).toEqual(["out"]);
  });
});

describe("a directory that exists", () => {
  it("is not touched before the tree is known", async () => {
    await mkdir(out);
    const tree = treeOf(dir, Object.fromEntries(Array.from({ length: 1500 }, (_, n) => [`d/${n}`, `content ${n}`])));
    const output = DirectoryOutput.open(out, false, never);
    offerAll(output, tree);
    await sleep(20);
    expect(await readdir(out)).toEqual([]);
    await output.finish(treeOf(dir, { a: "one" }));
    await output.close();
    expect(await readdir(out)).toEqual(["a"]);
  });

  it("is an error where it is a file", async () => {
    await writeFile(out, "mine");
    expect(await refusal(write({ a: "one" }))).toMatchObject({ code: "StorageFailed" });
    expect(await readFile(out, "utf8")).toBe("mine");
  });

  it("below a file is an error", async () => {
    await writeFile(out, "mine");
    expect(() => DirectoryOutput.open(join(out, "deeper"), false, never)).toThrow(
      expect.objectContaining({ code: "StorageFailed" }),
    );
  });
});
