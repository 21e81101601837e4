import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { CodedError } from "../errors.ts";
import { onDisk } from "../testing/disk.ts";
import { tarEntry, tarOf, type TarFields } from "../testing/archives/tar.ts";
import { budgetOf, inPieces } from "../testing/archives/trees.ts";
import { zipOf } from "../testing/archives/zip.ts";
import { Budget } from "./budget.ts";
import { unpackLayer, type Unpacked } from "./unpack.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-unpack-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

interface Options {
  readonly pieceBytes?: number;
  readonly budget?: Budget;
  readonly signal?: AbortSignal;
  readonly index?: number;
}

function unpack(
  layer: Buffer | AsyncIterable<Buffer>,
  { pieceBytes, budget = budgetOf(), signal = new AbortController().signal, index = 0 }: Options = {},
): Promise<Unpacked> {
  const source = Buffer.isBuffer(layer) ? inPieces(layer, pieceBytes) : layer;
  return unpackLayer({ source, size: Buffer.isBuffer(layer) ? layer.length : 0, dir, index, budget, signal });
}

/** Path to content; `dir` for directories. */
async function contents(layer: Buffer, options: Options = {}): Promise<Record<string, string>> {
  const unpacked = await unpack(layer, options);
  if (unpacked.content === "raw")
    return {
      raw: (await readFile(unpacked.body.file)).toString(
        "latin1",
        unpacked.body.offset,
        unpacked.body.offset + unpacked.body.size,
      ),
    };
  const result: Record<string, string> = {};
  for (const [path, entry] of unpacked.tree.entries) {
    if (entry.kind !== "file") result[path] = entry.kind;
    else
      result[path] = (await readFile(entry.body.file)).toString(
        "utf8",
        entry.body.offset,
        entry.body.offset + entry.body.size,
      );
  }
  return result;
}

const entries: readonly TarFields[] = [
  { name: "d/a", content: "hello" },
  { name: "b", content: "x".repeat(2000) },
];
const expected = { d: "dir", "d/a": "hello", b: "x".repeat(2000) };
const tar = tarOf(...entries);
const frame = (bytes: Buffer): Buffer => zstdCompressSync(bytes);
const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from("hello")]);

describe("the first bytes tell what a layer is", () => {
  test.each<[string, Buffer]>([
    ["tar", tar],
    ["gzip", gzipSync(tar)],
    [
      "gzip of two members, the first shorter than a block",
      Buffer.concat([gzipSync(tar.subarray(0, 100)), gzipSync(tar.subarray(100))]),
    ],
    ["gzip and zeros", Buffer.concat([gzipSync(tar), Buffer.alloc(100)])],
    ["gzip with an empty first member", Buffer.concat([gzipSync(Buffer.alloc(0)), gzipSync(tar)])],
    ["zstd", frame(tar)],
    [
      "zstd of several frames",
      Buffer.concat([frame(tar.subarray(0, 100)), frame(tar.subarray(100, 1500)), frame(tar.subarray(1500))]),
    ],
    [
      "zstd with skippable frames",
      Buffer.concat([
        skippable,
        frame(tar.subarray(0, 1500)),
        skippable,
        skippable,
        frame(tar.subarray(1500)),
        skippable,
      ]),
    ],
    [
      "zstd with a checksum and without a size",
      zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_contentSizeFlag]: 0 } }),
    ],
    ["zip", zipOf({ name: "d/a", content: "hello" }, { name: "b", content: "x".repeat(2000) })],
  ])("%s, in pieces of any size", async (_, layer) => {
    let index = 0;
    for (const pieceBytes of [1, 17, 512, layer.length])
      expect(await contents(layer, { pieceBytes, index: index++ })).toEqual(expected);
  });

  const zeros = Buffer.alloc(64 * 1024);
  test.each<[string, Buffer]>([
    ["text", Buffer.from("apiVersion: v1\n")],
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from([0x1f])],
    ["gzip of a text", gzipSync("a text")],
    ["zstd of a text", frame(Buffer.from("a text"))],
    ["broken gzip", Buffer.concat([gzipSync(tar).subarray(0, 10), Buffer.alloc(200, 0xff)])],
    ["half of the only zstd block", frame(tar).subarray(0, -6)],
    ["a disk image, which begins with zeros", Buffer.concat([zeros, Buffer.from("CD001")])],
    ["a disk image in gzip", gzipSync(Buffer.concat([zeros, Buffer.from("CD001")]))],
    ["zeros, more than a tar has", zeros],
    ["zeros, no whole blocks", Buffer.alloc(1030)],
    ["zeros, less than a tar has", Buffer.alloc(512)],
    ["something long", Buffer.alloc(400_000, "long")],
  ])("%s stays the file it is", async (_, layer) => {
    expect(await contents(layer, { pieceBytes: 100_000 })).toEqual({ raw: layer.toString("latin1") });
  });

  test.each<[string, Buffer]>([
    ["two blocks", Buffer.alloc(1024)],
    ["a record", Buffer.alloc(10240)],
    ["two blocks in gzip", gzipSync(Buffer.alloc(1024))],
    ["a zip without entries", zipOf()],
  ])("an archive without entries: %s", async (_, layer) => {
    expect(await contents(layer)).toEqual({});
  });

  test("scratch files have numbered names, and the zip file itself is gone", async () => {
    await unpack(zipOf({ name: "evil-name", content: "x" }), { index: 3 });
    await unpack(gzipSync(tarOf({ name: "../evil".slice(3), content: "x" })), { index: 4 });
    await unpack(Buffer.from("raw"), { index: 5 });
    expect((await readdir(dir)).sort()).toEqual(["raw-5", "tree-3", "tree-4"]);
  });
});

describe("broken layers", () => {
  const gz = gzipSync(tar);
  const zst = zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const flip = (bytes: Buffer, at: number): Buffer =>
    Buffer.from(bytes).fill(bytes.at(at)! ^ 1, bytes.length + at, bytes.length + at + 1);
  const large = zstdCompressSync(tar, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
  /** The window is the sixth byte where the frame does not state its size: 2^(10 + its upper five bits). */
  const wide = Buffer.from(large).fill(17 << 3, 5, 6);
  test.each<[string, Buffer, string]>([
    ["half a gzip stream", gz.subarray(0, -20), "ArchiveInvalid"],
    ["gzip with a wrong checksum", flip(gz, -8), "ArchiveInvalid"],
    ["gzip with a wrong length", flip(gz, -2), "ArchiveInvalid"],
    ["gzip and junk", Buffer.concat([gz, Buffer.from("junk")]), "ArchiveInvalid"],
    ["gzip and half a member", Buffer.concat([gz, gz.subarray(0, 5)]), "ArchiveInvalid"],
    [
      "half of the second zstd frame",
      Buffer.concat([frame(tar.subarray(0, 600)), frame(tar.subarray(600)).subarray(0, -6)]),
      "ArchiveInvalid",
    ],
    ["zstd with a wrong checksum", flip(zst, -1), "ArchiveInvalid"],
    ["zstd and junk", Buffer.concat([zst, Buffer.from("junk")]), "ArchiveInvalid"],
    ["zstd and half a skippable frame", Buffer.concat([zst, skippable.subarray(0, 10)]), "ArchiveInvalid"],
    ["zstd with a window of 128 MiB", Buffer.concat([zstdCompressSync(tar), wide]), "ArchiveUnsupported"],
    ["half a tar", tar.subarray(0, 1600), "ArchiveInvalid"],
    ["half a tar in gzip", gzipSync(tar.subarray(0, 1600)), "ArchiveInvalid"],
    ["data after the tar", Buffer.concat([tar, Buffer.from("x")]), "ArchiveInvalid"],
    ["a directory with a size", tarOf({ name: "d", type: "5", content: "x" }), "ArchiveInvalid"],
    ["an absolute path", tarOf({ name: "/etc/passwd" }), "ArchiveUnsafePath"],
    ["a path that climbs", tarOf({ name: "a/../../b" }), "ArchiveUnsafePath"],
    ["half a zip", zipOf({ name: "a", content: "x" }).subarray(0, -5), "ArchiveInvalid"],
  ])("%s", async (_, layer, code) => {
    for (const [index, pieceBytes] of [11, layer.length].entries())
      await expect(unpack(layer, { pieceBytes, index })).rejects.toMatchObject({ code });
  });
});

describe("limits", () => {
  const zeros = tarOf({ name: "zeros", content: Buffer.alloc(3_000_000) });
  const names = tarOf(...Array.from({ length: 20 }, (_, i) => ({ name: `f${i}` })));
  const zip = zipOf({ name: "zeros", content: Buffer.alloc(3_000_000) });
  test.each<[string, Buffer, Parameters<typeof budgetOf>, string]>([
    ["a gzip bomb", gzipSync(zeros), [{ ratioFloorBytes: 1_000_000, maxRatio: 100 }, 3000], "ArchiveRatioExceeded"],
    ["a zstd bomb", frame(zeros), [{ ratioFloorBytes: 1_000_000, maxRatio: 100 }, 300], "ArchiveRatioExceeded"],
    ["a zip bomb", zip, [{ ratioFloorBytes: 1_000_000, maxRatio: 100 }, 3000], "ArchiveRatioExceeded"],
    ["an immense tar", zeros, [{ maxExpandedBytes: 2_000_000 }], "ArchiveTooLarge"],
    ["an immense zip", zip, [{ maxExpandedBytes: 2_000_000 }], "ArchiveTooLarge"],
    ["an immense raw layer", Buffer.alloc(3_000_000, "x"), [{ maxExpandedBytes: 2_000_000 }], "ArchiveTooLarge"],
    ["many entries", names, [{ maxEntries: 19 }], "ArchiveTooManyEntries"],
    [
      "many entries in a zip",
      zipOf({ name: "a" }, { name: "b" }, { name: "c" }),
      [{ maxEntries: 2 }],
      "ArchiveTooManyEntries",
    ],
    ["many implied directories", tarOf({ name: "a/b/c/d/e" }), [{ maxEntries: 4 }], "ArchiveTooManyEntries"],
    ["a long name", tarOf({ name: "n".repeat(30) }), [{ maxNameBytes: 29 }], "ArchiveUnsafePath"],
    ["a long name in a zip", zipOf({ name: "n".repeat(30) }), [{ maxNameBytes: 29 }], "ArchiveUnsafePath"],
  ])("%s", async (_, layer, limits, code) => {
    await expect(unpack(layer, { budget: budgetOf(...limits) })).rejects.toMatchObject({ code });
  });

  test("the ratio counts only beyond its floor", async () => {
    await expect(unpack(gzipSync(zeros), { budget: budgetOf({ maxRatio: 2 }, 3000) })).resolves.toMatchObject({
      content: "tree",
    });
  });

  test("layers of one operation share bytes and entries", async () => {
    const limits = { ...defaultLimits, maxExpandedBytes: 5_000_000, maxEntries: 30 };
    const shared = { expandedBytes: 0 };
    const budget = (): Budget => new Budget(limits, 1_000_000, shared);
    await unpack(zeros, { budget: budget(), index: 0 });
    await expect(unpack(zeros, { budget: budget(), index: 1 })).rejects.toMatchObject({ code: "ArchiveTooLarge" });
    shared.expandedBytes = 0;
    await unpack(names, { budget: budget(), index: 2 });
    await expect(unpack(names, { budget: budget(), index: 3 })).rejects.toMatchObject({
      code: "ArchiveTooManyEntries",
    });
  });

  test("names are bounded together", () => {
    const budget = budgetOf();
    expect(() => {
      for (let i = 0; i < 10_000; i++) budget.spendEntry(4000);
    }).toThrow(expect.objectContaining({ code: "ArchiveTooManyEntries" }) as Error);
  });
});

/** A source that says whether it was closed. */
function watched(
  pieces: readonly Buffer[],
  failure?: Error,
): { source: AsyncIterable<Buffer>; isClosed: () => boolean } {
  let closed = false;
  async function* generate(): AsyncGenerator<Buffer> {
    try {
      yield* pieces;
      if (failure !== undefined) throw failure;
    } finally {
      closed = true;
    }
  }
  return { source: generate(), isClosed: () => closed };
}

describe("failures on the way", () => {
  const many = Array.from({ length: 50 }, (_, i) => tarEntry({ name: `f${i}`, content: Buffer.alloc(20_000, i) }));

  test("what the source throws comes out, whatever the layer is", async () => {
    const failure = new CodedError("DigestMismatch", "the content is not what its descriptor says");
    let index = 0;
    for (const pieces of [
      [tar],
      [gzipSync(Buffer.concat(many)).subarray(0, 1000)],
      [Buffer.from("PK\x03\x04")],
      [Buffer.from("raw")],
      many,
    ]) {
      const { source, isClosed } = watched(pieces, failure);
      await expect(unpack(source, { index: index++ })).rejects.toBe(failure);
      expect(isClosed()).toBe(true);
    }
  });

  test("a broken layer closes its source", async () => {
    const { source, isClosed } = watched([...many, Buffer.alloc(1024), Buffer.from("junk"), ...many]);
    await expect(unpack(source)).rejects.toMatchObject({ code: "ArchiveInvalid" });
    expect(isClosed()).toBe(true);
  });

  test.each<[string, (all: Buffer) => Buffer]>([
    ["tar", (all) => all],
    ["gzip", (all) => gzipSync(all)],
    ["raw", () => Buffer.alloc(1_000_000, "r")],
    ["zip", () => Buffer.concat([zipOf({ name: "a", content: Buffer.alloc(900_000) }), Buffer.alloc(500_000)])],
  ])("an abort midway stops a %s", async (_, encode) => {
    const abort = new AbortController();
    const layer = encode(Buffer.concat(many));
    let pieces = 0;
    let closed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (let at = 0; at < layer.length; at += 100) {
          if (++pieces === 3 + Math.floor(200_000 / 100)) abort.abort(new Error("enough"));
          yield layer.subarray(at, at + 100);
        }
        abort.abort(new Error("enough"));
      } finally {
        closed = true;
      }
    }
    await expect(unpack(source(), { signal: abort.signal })).rejects.toMatchObject({ code: "Aborted" });
    expect(closed).toBe(true);
  });

  test("a scratch file that is there already is not touched", async () => {
    await unpack(tar);
    await expect(unpack(tar)).rejects.toMatchObject({ code: "StorageFailed" });
    await rm(dir, { recursive: true });
    for (const layer of [tar, Buffer.from("raw"), zipOf({ name: "a" })])
      await expect(unpack(layer)).rejects.toMatchObject({ code: "StorageFailed" });
  });

  test.each<[string, Buffer]>([
    ["tar", Buffer.concat([...many, Buffer.alloc(1024)])],
    ["gzip", gzipSync(Buffer.concat([...many, Buffer.alloc(1024)]))],
    ["zip", zipOf({ name: "a", content: "x" })],
    ["raw", Buffer.alloc(5_000_000, "r")],
  ])("a full disk under a %s", async (_, layer) => {
    const unpacking = onDisk(
      dir,
      () => "full",
      () => unpack(layer, { pieceBytes: 70_000 }),
    );
    await expect(unpacking).rejects.toMatchObject({ code: "StorageFailed" });
  });
});
