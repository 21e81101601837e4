import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { codeOf } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Limits } from "../oci/limits.ts";
import type { StagedBlob } from "../oci/types.ts";
import { tarEntry, tarOf, type TarFields } from "../testing/archives/tar.ts";
import { isArchiveName, writeDirectoryOutput, writeFileOutput } from "./write-output.ts";

let dir: string;
let out: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-output-"));
  out = join(dir, "out");
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function staged(bytes: Buffer): Promise<StagedBlob> {
  const path = join(dir, "staged");
  await writeFile(path, bytes, { mode: 0o600 });
  return { path, digest: sha256Of(bytes), size: bytes.length, contentDigest: sha256Of(bytes), verbatim: true };
}

const archive = async (...entries: readonly (TarFields | Buffer)[]): Promise<StagedBlob> =>
  await staged(gzipSync(tarOf(...entries)));

async function unpack(
  blob: StagedBlob,
  limits: Partial<Limits> = {},
  signal = new AbortController().signal,
): Promise<void> {
  await writeDirectoryOutput(blob, out, { limits: { ...defaultLimits, ...limits }, force: false, signal });
}

const refusal = async (promise: Promise<unknown>): Promise<string> =>
  codeOf(
    await promise.then(
      () => "nothing was thrown",
      (error: unknown) => error,
    ),
  );
const modeOf = async (name: string): Promise<number> => (await stat(join(out, name))).mode & 0o777;

describe("where -o names a file", () => {
  it.each([
    ["a.tar.gz", true],
    ["dir/a.tgz", true],
    ["a.tar", false],
    ["a.gz", false],
    ["out", false],
    ["out.tar.gz/", false],
  ])("%s: %s", (path, expected) => {
    expect(isArchiveName(path)).toBe(expected);
  });

  it("the artifact is there, readable by others, in directories that did not exist", async () => {
    const blob = await archive({ name: "a", content: "one" });
    const path = join(out, "deep", "a.tar.gz");
    await writeFileOutput(blob, path);
    expect(await readFile(path)).toEqual(await readFile(blob.path));
    expect((await stat(path)).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(await readdir(join(out, "deep"))).toEqual(["a.tar.gz"]);
  });

  it("what a symlink points at stays as it is", async () => {
    const [target, path] = [join(dir, "target"), join(dir, "a.tar.gz")];
    await writeFile(target, "mine");
    await symlink(target, path);
    await writeFileOutput(await archive({ name: "a", content: "one" }), path);
    expect(await readFile(target, "utf8")).toBe("mine");
    expect((await stat(path)).size).toBeGreaterThan(20);
    await expect(readlink(path)).rejects.toMatchObject({ code: "EINVAL" });
  });

  it("nothing is left behind after a failure", async () => {
    const path = join(dir, "a.tar.gz");
    await mkdir(path);
    expect(await refusal(writeFileOutput(await archive({ name: "a" }), path))).toBe("StorageFailed");
    expect((await readdir(dir)).sort()).toEqual(["a.tar.gz", "staged"]);
  });
});

describe("where -o names a directory", () => {
  it("files, directories and executables are there", async () => {
    await unpack(
      await archive(
        { name: "./", type: "5" },
        { name: "./empty/", type: "5" },
        { name: "./bin/run", content: "#!", mode: 0o755 },
        { name: "a", content: "one" },
        { name: "nothing" },
      ),
    );
    expect((await readdir(out, { recursive: true })).sort()).toEqual(["a", "bin", "bin/run", "empty", "nothing"]);
    expect([await modeOf("a"), await modeOf("bin/run")]).toEqual([0o644, 0o755].map((mode) => mode & ~process.umask()));
    expect(await readFile(join(out, "a"), "utf8")).toBe("one");
    expect((await stat(join(out, "nothing"))).size).toBe(0);
  });

  it("large files are whole", async () => {
    const content = Buffer.alloc(3_000_000, "strata ");
    await unpack(await archive({ name: "large", content }));
    expect(sha256Of(await readFile(join(out, "large")))).toBe(sha256Of(content));
  });

  it("files that are there are replaced, with their modes, but not beside others", async () => {
    await unpack(await archive({ name: "a", content: "a long first text" }));
    await chmod(join(out, "a"), 0o400);
    await unpack(await archive({ name: "a", content: "two", mode: 0o755 }));
    expect(await readFile(join(out, "a"), "utf8")).toBe("two");
    expect(await modeOf("a")).toBe(0o755 & ~process.umask());
    await writeFile(join(out, "other"), "kept");
    expect(await refusal(unpack(await archive({ name: "a", content: "three" })))).toBe("StorageFailed");
    expect(await readFile(join(out, "a"), "utf8")).toBe("two");
  });

  it("a file's other names keep their content", async () => {
    await mkdir(out);
    await writeFile(join(dir, "elsewhere"), "mine");
    await link(join(dir, "elsewhere"), join(out, "a"));
    await unpack(await archive({ name: "a", content: "one" }));
    expect(await readFile(join(dir, "elsewhere"), "utf8")).toBe("mine");
  });

  it("links and devices are left out", async () => {
    await unpack(
      await archive(
        { name: "a", content: "one" },
        { name: "soft", type: "2", link: "/etc/passwd" },
        { name: "null", type: "3" },
      ),
    );
    expect(await readdir(out)).toEqual(["a"]);
  });
});

describe("what is in the way", () => {
  it.each<[string, string, TarFields]>([
    ["a symlink to a file", "a", { name: "a", content: "one" }],
    ["a symlink to a directory", "d", { name: "d/a", content: "one" }],
    ["a symlink, deeper", "x/d", { name: "x/d/e/a", content: "one" }],
    ["a symlink instead of an empty directory", "d", { name: "d/", type: "5" }],
  ])("%s is not followed", async (_, place, entry) => {
    const target = join(dir, "target");
    await mkdir(target);
    await mkdir(join(out, place, ".."), { recursive: true });
    await symlink(target, join(out, place));
    expect(await refusal(unpack(await archive(entry)))).toBe("ArchiveUnsafePath");
    expect(await readdir(target)).toEqual([]);
    expect(await readlink(join(out, place))).toBe(target);
  });

  it("dangling symlinks create nothing", async () => {
    await mkdir(out);
    await symlink(join(dir, "created"), join(out, "a"));
    expect(await refusal(unpack(await archive({ name: "a", content: "one" })))).toBe("ArchiveUnsafePath");
    await expect(stat(join(dir, "created"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("directories and files do not replace each other", async () => {
    await mkdir(join(out, "a"), { recursive: true });
    expect(await refusal(unpack(await archive({ name: "a", content: "one" })))).toBe("ArchiveUnsafePath");
    await rm(join(out, "a"), { recursive: true });
    await writeFile(join(out, "d"), "mine");
    expect(await refusal(unpack(await archive({ name: "d/a", content: "one" })))).toBe("ArchiveUnsafePath");
    expect(await readFile(join(out, "d"), "utf8")).toBe("mine");
  });

  it("a file of the directory's own name is told of", async () => {
    await writeFile(out, "mine");
    const error: unknown = await unpack(await archive({ name: "a", content: "one" })).catch(
      (thrown: unknown) => thrown,
    );
    expect(codeOf(error)).toBe("StorageFailed");
    expect((error as Error).message).toContain(out);
  });
});

describe("a hostile layer that was copied", () => {
  it.each<[string, Buffer[], string]>([
    ["climbs", [tarEntry({ name: "../escaped", content: "x" })], "ArchiveUnsafePath"],
    ["is absolute", [tarEntry({ name: "/escaped", content: "x" })], "ArchiveUnsafePath"],
    ["climbs from within", [tarEntry({ name: "a/../../escaped", content: "x" })], "ArchiveUnsafePath"],
    ["has backslashes", [tarEntry({ name: "..\\escaped", content: "x" })], "ArchiveUnsafePath"],
    [
      "has a directory where a file was",
      [tarEntry({ name: "a", content: "x" }), tarEntry({ name: "a/escaped", content: "x" })],
      "ArchiveUnsafePath",
    ],
  ])("%s: nothing is written outside", async (_, entries, code) => {
    expect(await refusal(unpack(await archive(...entries)))).toBe(code);
    expect((await readdir(dir)).sort()).toEqual(["out", "staged"]);
    expect((await readdir(out, { recursive: true })).filter((name) => name.includes("escaped"))).toEqual([]);
  });

  it("expands without end: it is stopped", async () => {
    const bomb = await archive({ name: "a", content: Buffer.alloc(5_000_000) });
    expect(await refusal(unpack(bomb, { maxExpandedBytes: 1_000_000 }))).toBe("ArchiveTooLarge");
    expect(await refusal(unpack(bomb, { ratioFloorBytes: 1000, maxRatio: 10 }))).toBe("ArchiveRatioExceeded");
  });

  it.each<[string, (whole: Buffer) => Buffer]>([
    ["cut", (whole) => whole.subarray(0, whole.length - 20)],
    ["no gzip", () => Buffer.from("plain text")],
    ["no tar", () => gzipSync("plain text".repeat(100))],
  ])("%s: a coded error", async (_, spoil) => {
    const whole = gzipSync(tarOf({ name: "a", content: "one" }));
    expect(await refusal(unpack(await staged(spoil(whole))))).toMatch(/^(?:ArchiveInvalid|NotAnArchive)$/);
  });

  it("is not unpacked further once the command is stopped", async () => {
    const abort = new AbortController();
    abort.abort(new DOMException("stopped", "AbortError"));
    expect(await refusal(unpack(await archive({ name: "a", content: "one" }), {}, abort.signal))).toBe("Aborted");
  });
});
