import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { budgetOf } from "../testing/archives/trees.ts";
import { zipOf, zipWithDirectoryAt } from "../testing/archives/zip.ts";
import { readZip } from "./read-zip.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-zip-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function read(zip: Buffer, signal = new AbortController().signal): ReturnType<typeof readZip> {
  const zipPath = join(dir, "zip");
  await writeFile(zipPath, zip);
  return readZip({ zipPath, spoolPath: join(dir, "spool"), budget: budgetOf({}, 10_000_000), signal });
}

async function summary(zip: Buffer): Promise<Record<string, string>> {
  const { tree } = await read(zip);
  const spool = await readFile(join(dir, "spool"));
  return Object.fromEntries(
    [...tree.entries].map(([path, entry]) => {
      if (entry.kind === "file")
        return [
          path,
          `${spool.toString("latin1", entry.body.offset, entry.body.offset + entry.body.size)}${entry.executable ? "*" : ""}`,
        ];
      return [path, entry.kind === "dir" ? "/" : `${entry.kind} ${entry.target}`];
    }),
  );
}

const noise = randomBytes(3_000_000);

test.each<[string, Buffer, Record<string, string>]>([
  [
    "stored and deflated",
    zipOf({ name: "a", content: "1" }, { name: "b", content: "2", method: 0 }, { name: "c", method: 0 }, { name: "e" }),
    { a: "1", b: "2", c: "", e: "" },
  ],
  [
    "data descriptors",
    zipOf(
      { name: "a", content: "hello", hasDescriptor: true },
      { name: "b", content: "x", hasDescriptor: true, method: 0 },
    ),
    { a: "hello", b: "x" },
  ],
  ["zip64 sizes", zipOf({ name: "a", content: "hello", isZip64: true }), { a: "hello" }],
  [
    "directories",
    zipOf({ name: "d/", mode: 0o040755 }, { name: "e", mode: 0o040755 }, { name: "f/g", content: "1" }),
    { d: "/", e: "/", f: "/", "f/g": "1" },
  ],
  [
    "executables, and modes that DOS left out",
    zipOf({ name: "a", mode: 0o100755 }, { name: "b", mode: 0 }),
    { a: "*", b: "" },
  ],
  ["symlinks", zipOf({ name: "s", content: "../t", mode: 0o120777 }), { s: "symlink ../t" }],
  [
    "a backslash as a separator, as old programs for Windows write it",
    zipOf({ name: "d\\a", content: "1" }),
    { d: "/", "d/a": "1" },
  ],
  ["of two files the later", zipOf({ name: "a", content: "old" }, { name: "./a", content: "new" }), { a: "new" }],
  ["names beyond ASCII", zipOf({ name: "é/世界😀", content: "1" }), { é: "/", "é/世界😀": "1" }],
  [
    "megabytes of both kinds",
    zipOf({ name: "a", content: noise, method: 0 }, { name: "b", content: noise }),
    { a: noise.toString("latin1"), b: noise.toString("latin1") },
  ],
])("%s", async (_, zip, expected) => {
  expect(await summary(zip)).toEqual(expected);
});

test("devices are left out and counted", async () => {
  const { tree, counts } = await read(zipOf({ name: "c", mode: 0o020644 }, { name: "p", mode: 0o010644 }));
  expect([tree.entries.size, counts]).toEqual([0, { special: 2 }]);
});

describe("refused", () => {
  const good = zipOf({ name: "a", content: "hello" });
  const change = (at: number, value: number): Buffer =>
    Buffer.from(good).fill(value, good.length + at, good.length + at + 1);
  test.each<[string, Buffer, string]>([
    ["encryption", zipOf({ name: "a", content: "x", flags: 1 }), "ArchiveUnsupported"],
    ["strong encryption", zipOf({ name: "a", content: "x", flags: 0x41 }), "ArchiveInvalid"],
    ["another method", zipOf({ name: "a", content: "x", method: 93 }), "ArchiveUnsupported"],
    ["a wrong checksum", zipOf({ name: "a", content: "x", crc: 1 }), "ArchiveInvalid"],
    ["more bytes than stated", zipOf({ name: "a", content: "hello", size: 3 }), "ArchiveInvalid"],
    ["fewer bytes than stated", zipOf({ name: "a", content: "hello", size: 9 }), "ArchiveInvalid"],
    ["a stored size that differs", zipOf({ name: "a", content: "hello", size: 9, method: 0 }), "ArchiveInvalid"],
    ["broken deflate", zipOf({ name: "a", content: "hello", body: Buffer.alloc(20, 0xff) }), "ArchiveInvalid"],
    [
      "half a deflate stream",
      zipOf({ name: "a", content: "hello", body: deflateRawSync("hello").subarray(0, -2) }),
      "ArchiveInvalid",
    ],
    [
      "data after the deflate stream",
      zipOf({ name: "a", content: "hello", body: Buffer.concat([deflateRawSync("hello"), Buffer.from("junk")]) }),
      "ArchiveInvalid",
    ],
    ["an entry that begins elsewhere", zipOf({ name: "a", content: "x", offset: 1 }), "ArchiveInvalid"],
    ["an entry that begins behind the file", zipOf({ name: "a", content: "x", offset: 0xfffffffe }), "ArchiveInvalid"],
    ["..", zipOf({ name: "../a" }), "ArchiveUnsafePath"],
    [".. with backslashes", zipOf({ name: "..\\a" }), "ArchiveUnsafePath"],
    ["an absolute path", zipOf({ name: "/a" }), "ArchiveUnsafePath"],
    ["a drive", zipOf({ name: "C:\\a" }), "ArchiveUnsafePath"],
    ["a name with a NUL", zipOf({ name: "a\0b" }), "ArchiveUnsafePath"],
    ["an empty name", zipOf({ name: "" }), "ArchiveUnsafePath"],
    ["a file below a file", zipOf({ name: "a" }, { name: "a/b" }), "ArchiveInvalid"],
    ["a symlink to kilobytes", zipOf({ name: "s", content: "x".repeat(5000), mode: 0o120777 }), "ArchiveInvalid"],
    ["no directory", good.subarray(0, 40), "ArchiveInvalid"],
    ["more entries than there are", change(-12, 9), "ArchiveInvalid"],
    ["a directory behind the file", change(-4, 9), "ArchiveInvalid"],
    ["several disks", change(-18, 1), "ArchiveInvalid"],
    ["data behind the end", Buffer.concat([good, Buffer.from("junk")]), "ArchiveInvalid"],
    ["a directory at 2^63", zipWithDirectoryAt(2n ** 63n), "ArchiveInvalid"],
    ["a directory at 2^64 - 1", zipWithDirectoryAt(2n ** 64n - 1n), "ArchiveInvalid"],
    ["a directory at a place that has none", zipWithDirectoryAt(8n), "ArchiveInvalid"],
    ["nothing but the end's first bytes", Buffer.from("PK\x05\x06"), "ArchiveInvalid"],
    ["nothing", Buffer.alloc(0), "ArchiveInvalid"],
  ])("%s", async (_, zip, code) => {
    await expect(read(zip)).rejects.toMatchObject({ code });
  });

  test("a zip with one byte changed is read, or refused with a code", async () => {
    const zip = zipOf(
      { name: "d/a", content: "hello ".repeat(50) },
      { name: "b", content: "x", hasDescriptor: true, isZip64: true },
    );
    const outcomes = new Set<string>();
    for (let at = 0; at < zip.length; at++) {
      const broken = Buffer.from(zip);
      broken[at]! ^= 0xff;
      outcomes.add(
        await read(broken).then(
          () => "read",
          (error: { code: string }) => error.code,
        ),
      );
      await rm(join(dir, "spool"), { force: true });
    }
    expect([...outcomes].filter((code) => code !== "read" && !code.startsWith("Archive"))).toEqual([]);
    expect(outcomes).toContain("read");
    expect(outcomes).toContain("ArchiveInvalid");
  });

  test("an abort", async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(read(zipOf({ name: "a", content: "x" }), abort.signal)).rejects.toMatchObject({ code: "Aborted" });
  });

  test("a file that is not there", async () => {
    const request = {
      zipPath: join(dir, "none"),
      spoolPath: join(dir, "spool"),
      budget: budgetOf(),
      signal: new AbortController().signal,
    };
    await expect(readZip(request)).rejects.toMatchObject({ code: "StorageFailed" });
  });
});
