import { createHash } from "node:crypto";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { filesIn } from "../testing/archives/layers.ts";
import { onDisk } from "../testing/disk.ts";
import { budgetOf, inPieces, treeOf, type TreeItem } from "../testing/archives/trees.ts";
import { decompress } from "./decompress.ts";
import { encodeHeader } from "./header.ts";
import { ignoreRules } from "./ignore.ts";
import { comparePaths } from "./path.ts";
import { readTar } from "./read.ts";
import { Tree } from "./tree.ts";
import { VerbatimScan } from "./verbatim.ts";
import { contentDigestOf, writeArchive, type WrittenArchive } from "./write.ts";

const signal = new AbortController().signal;
let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-write-"));
  path = join(dir, "artifact.tar.gz");
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const sha256 = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function write(items: Record<string, TreeItem>): Promise<{ written: WrittenArchive; tar: Buffer }> {
  const written = await writeArchive(treeOf(dir, items), path, signal);
  return { written, tar: gunzipSync(await readFile(path)) };
}

const long = `${"d".repeat(100)}/${"e".repeat(100)}/${"f".repeat(100)}`;
const items: Record<string, TreeItem> = {
  b: "second",
  "a/x.sh": { executable: "#!/bin/sh\n" },
  "a-b": "between a and a/x.sh",
  empty: "",
  "dir/empty": null,
  [long]: "a path that only PAX can carry",
  [`${"p".repeat(120)}/${"n".repeat(90)}`]: "a path that ustar splits",
  "é/世界😀": "beyond ASCII",
  "\uffee": "before surrogates",
  block: "x".repeat(512),
};

describe("the canonical tar", () => {
  test("is read by another program as what went in, in byte order", async () => {
    await write(items);
    const found = await filesIn(path);
    const paths = [...found.keys()].map((name) => name.replace(/\/$/, ""));
    expect(paths).toEqual(paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const [name, item] of Object.entries(items)) {
      if (item === null) expect(found.get(`${name}/`)?.mode).toBe(0o755);
      else if (typeof item === "string")
        expect([found.get(name)?.content.toString(), found.get(name)?.mode]).toEqual([item, 0o644]);
    }
    expect([found.get("a/x.sh")?.content.toString(), found.get("a/x.sh")?.mode]).toEqual(["#!/bin/sh\n", 0o755]);
    expect(found.get("a/")?.mode).toBe(0o755);
  });

  test("has one digest for ever: a change of this constant changes every revision that Strata has published", async () => {
    const { written, tar } = await write(items);
    expect(written.contentDigest).toBe("sha256:d8e773ada89e3fe856392a1e8fe8ddbdadd60661687f82416505e3368b60887c");
    expect(sha256(tar)).toBe(written.contentDigest);
  });

  test("does not depend on the order of the entries, nor on where their bytes lie", async () => {
    const { written } = await write(items);
    const again = await writeArchive(
      treeOf(dir, Object.fromEntries(Object.entries(items).toReversed())),
      join(dir, "again"),
      signal,
    );
    expect(again).toEqual(written);
    expect(await readFile(join(dir, "again"))).toEqual(await readFile(path));
    expect(await contentDigestOf(treeOf(dir, items), undefined, signal)).toBe(written.contentDigest);
  });

  test("is one gzip member that names no system and no time; digest and size are those of the file", async () => {
    const { written } = await write(items);
    const bytes = await readFile(path);
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    expect([written.digest, written.size]).toEqual([sha256(bytes), bytes.length]);
  });

  test("would be published verbatim if it came back", async () => {
    const { written } = await write(items);
    const scan = new VerbatimScan(ignoreRules([], "!*"), budgetOf());
    for await (const piece of inPieces(await readFile(path), 1000)) await scan.write(piece);
    expect(await scan.finish()).toEqual({ as: "verbatim", contentDigest: written.contentDigest });
  });

  test("comes back as the same tree", async () => {
    const { written } = await write(items);
    const { tree } = await readTar(inPieces(await readFile(path), 5000), {
      compression: "gzip",
      spoolPath: join(dir, "spool"),
      budget: budgetOf(),
      signal,
    });
    expect(await contentDigestOf(tree, undefined, signal)).toBe(written.contentDigest);
  });

  test("of nothing is two blocks of zeros", async () => {
    const { tar } = await write({});
    expect(tar).toEqual(Buffer.alloc(1024));
  });

  test("leaves out links", async () => {
    await write({ a: "1", s: { symlink: "a" } });
    expect([...(await filesIn(path)).keys()]).toEqual(["a"]);
  });
});

describe("sizes about the blocks of compression", () => {
  const MiB = 1024 * 1024;
  test.each([1, MiB - 1537, MiB - 1536, MiB - 1535, MiB - 512, MiB, MiB + 1, 3 * MiB + 7, 9 * MiB])(
    "%i bytes",
    async (size) => {
      const content = Buffer.alloc(size);
      for (let at = 0; at + 4 <= size; at += 4096) content.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
      const { written, tar } = await write({ file: content });
      expect(tar.subarray(512, 512 + size).equals(content)).toBe(true);
      expect(sha256(tar)).toBe(written.contentDigest);
    },
  );

  test("thousands of small files", async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`d${i % 70}/f${i}`, `content of ${i}`]));
    const { tar, written } = await write(many);
    expect(sha256(tar)).toBe(written.contentDigest);
    expect((await filesIn(path)).size).toBe(5070);
  });

  test("a file beyond 8 GiB has its size in PAX", () => {
    const blocks = encodeHeader({ path: "big", kind: "file", executable: false, size: 2 ** 33 });
    expect(blocks.length).toBe(3 * 512);
    expect(blocks.toString("latin1", 512, 512 + 19)).toBe("19 size=8589934592\n");
  });
});

describe("failures", () => {
  /** A file that would take many blocks. */
  const big = { big: Buffer.alloc(20_000_000, "x") };

  test("an abort midway", async () => {
    const abort = new AbortController();
    const writing = writeArchive(treeOf(dir, big), path, abort.signal);
    setTimeout(() => abort.abort(new Error("enough")), 5);
    await expect(writing).rejects.toMatchObject({ code: "Aborted" });
    await expect(contentDigestOf(treeOf(dir, big), undefined, abort.signal)).rejects.toMatchObject({ code: "Aborted" });
  });

  test.each([0, 1])("a full disk at write number %i", async (good) => {
    const tree = treeOf(dir, { ...big, noise: createNoise(8_000_000) });
    const writing = onDisk(
      dir,
      (call) => (call < good ? "good" : "full"),
      () => writeArchive(tree, path, signal),
    );
    await expect(writing).rejects.toMatchObject({
      code: "StorageFailed",
      message: expect.stringContaining("ENOSPC") as string,
    });
  });

  test("a disk that takes part of what it is given", async () => {
    const { written, tar } = await onDisk(
      dir,
      () => "short",
      () => write(items),
    );
    expect(sha256(tar)).toBe(written.contentDigest);
    expect((await stat(path)).size).toBe(written.size);
  });

  test("a scratch file that is shorter than its entries", async () => {
    const tree = new Tree(10);
    const file = join(dir, "short");
    await (await open(file, "w")).close();
    tree.put("a", { kind: "file", executable: false, body: { file, offset: 0, size: 5 } });
    await expect(writeArchive(tree, path, signal)).rejects.toMatchObject({ code: "StorageFailed" });
  });

  test("a file that is there already", async () => {
    await write({ a: "1" });
    await expect(writeArchive(treeOf(dir, { a: "1" }), path, signal)).rejects.toMatchObject({ code: "StorageFailed" });
  });
});

test("paths compare as their UTF-8 bytes", () => {
  const paths = ["a", "a-b", "a/b", "a.b", "é", "\uffee", "😀", "\ue000", "", "ab", "B", "\u{10ffff}"];
  for (const a of paths)
    for (const b of paths)
      expect(Math.sign(comparePaths(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
});

test("the archive can be read piece by piece", async () => {
  await write(items);
  let bytes = 0;
  await decompress("gzip", inPieces(await readFile(path), 77), (chunk) => void (bytes += chunk.length));
  expect(bytes).toBeGreaterThan(512 * Object.keys(items).length);
  expect(bytes).toBeLessThan(defaultLimits.maxExpandedBytes);
});

function createNoise(size: number): Buffer {
  const noise = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) noise[i] = (state = Math.imul(state, 1103515245) + 12345) >>> 16;
  return noise;
}
