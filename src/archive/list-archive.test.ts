import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { tarOf, type TarFields } from "../testing/archives/tar.ts";
import { listArchive } from "./list-archive.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-list-"));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

const context = { limits: defaultLimits, signal: new AbortController().signal };

async function stored(bytes: Buffer) {
  const path = join(dir, "archive.tar.gz");
  await writeFile(path, bytes);
  return { path, size: (await stat(path)).size };
}

const hexOf = (text: string): string => sha256Of(text).slice("sha256:".length);

describe("listArchive", () => {
  it.each<[string, TarFields, object]>([
    ["a", { name: "a", content: "one" }, { type: "file", isExecutable: false, size: 3, digest: hexOf("one") }],
    ["run", { name: "./run", content: "", mode: 0o710 }, { type: "file", isExecutable: true, size: 0 }],
    ["dir", { name: "dir/", type: "5" }, { type: "dir", isExecutable: false, size: 0 }],
    ["soft", { name: "soft", type: "2", link: "a" }, { type: "symlink", digest: hexOf("a") }],
    ["hard", { name: "hard", type: "1", link: "b" }, { type: "hardlink", digest: hexOf("b") }],
    ["fifo", { name: "fifo", type: "6" }, { type: "special" }],
  ])("lists %s as consumers see it", async (path, entry, expected) => {
    const blob = await stored(gzipSync(tarOf(entry, { name: "after", content: "x" })));
    const listed = await listArchive(blob, context, "while testing");
    expect([...listed.keys()]).toEqual([path, "after"]);
    expect(listed.get(path)).toMatchObject(expected);
  });

  it("takes the last of entries with one path", async () => {
    const blob = await stored(gzipSync(tarOf({ name: "a", content: "one" }, { name: "./a", content: "two" })));
    expect((await listArchive(blob, context, "while testing")).get("a")?.digest).toBe(hexOf("two"));
  });

  it("refuses what is not an archive, and stops with its signal", async () => {
    const bad = await stored(gzipSync(Buffer.alloc(2048, "x")));
    await expect(listArchive(bad, context, "while testing")).rejects.toMatchObject({ code: "ArchiveInvalid" });
    const blob = await stored(gzipSync(tarOf({ name: "a", content: "one" })));
    const aborted = { ...context, signal: AbortSignal.abort() };
    await expect(listArchive(blob, aborted, "while testing")).rejects.toMatchObject({
      code: "Aborted",
      message: "stopped while testing",
    });
  });
});
