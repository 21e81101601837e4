import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { base256, gnuLong, paxEntry, tarEntry, tarOf, type TarFields } from "../testing/archives/tar.ts";
import { budgetOf, inPieces } from "../testing/archives/trees.ts";
import type { Budget } from "./budget.ts";
import { ignoreRules } from "./ignore.ts";
import { readTar } from "./read.ts";
import { VerbatimScan, type Verdict } from "./verbatim.ts";
import { contentDigestOf } from "./write.ts";

const signal = new AbortController().signal;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-verbatim-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function judge(
  layer: Buffer,
  {
    pieceBytes = layer.length,
    ignore,
    budget = budgetOf(),
  }: { pieceBytes?: number; ignore?: string; budget?: Budget } = {},
): Promise<Verdict> {
  const scan = new VerbatimScan(ignoreRules([], ignore), budget);
  for await (const piece of inPieces(layer, pieceBytes)) await scan.write(piece);
  return scan.finish();
}

const plain: readonly TarFields[] = [
  { name: "a", content: "hello" },
  { name: "d", type: "5", mode: 0o755 },
  { name: "d/b", content: "x".repeat(3000), mode: 0o755 },
];
/** The same content in another order and spelling, as another packer would write it. */
const other = tarOf(
  { name: "./", type: "5", mode: 0o755 },
  { name: "./d/", type: "5", mode: 0o700, uid: 1000, mtime: 1_700_000_000 },
  { name: "./d/b", content: "x".repeat(3000), mode: 0o775 },
  { name: "./a", content: "hello", mode: 0o600, uid: 0o777 },
);
const golden = "sha256:15fd36ad530a6f5af0750722c80881fab3d42484cbbed3888d557f761c508c39";

describe("verbatim", () => {
  test.each<[string, Buffer]>([
    ["entries in order", tarOf(...plain)],
    [
      "directories that are only implied",
      tarOf({ name: "a", content: "hello" }, { name: "d/b", content: "x".repeat(3000), mode: 0o755 }),
    ],
    [
      "a directory after what lies in it",
      tarOf(
        { name: "a", content: "hello" },
        { name: "d/b", content: "x".repeat(3000), mode: 0o755 },
        { name: "d/", type: "5", mode: 0o755 },
      ),
    ],
    [
      "other owners, times and modes",
      tarOf(
        { name: "a", content: "hello", uid: 5, mode: 0o400 },
        { name: "d", type: "5", mode: 0o700 },
        { name: "d/b", content: "x".repeat(3000), mode: 0o500, mtime: 77 },
      ),
    ],
    [
      "plain PAX",
      tarOf(
        { name: "a", content: "hello" },
        paxEntry([
          ["mtime", "1700000000.123456789"],
          ["path", "d/b"],
        ]),
        { name: "stub", content: "x".repeat(3000), mode: 0o755 },
      ),
    ],
    ["zeros up to a whole record", Buffer.concat([tarOf(...plain), Buffer.alloc(10240)])],
  ])("%s: the digest of the canonical tar", async (_, tar) => {
    expect(await judge(gzipSync(tar))).toEqual({ as: "verbatim", contentDigest: golden });
  });

  test.each([1, 2, 9, 10, 11, 64, 1000])("in pieces of %i bytes", async (pieceBytes) => {
    expect(await judge(gzipSync(tarOf(...plain)), { pieceBytes })).toEqual({ as: "verbatim", contentDigest: golden });
  });

  test("a gzip header with a name and an extra field", async () => {
    const gz = gzipSync(tarOf(...plain));
    const fancy = Buffer.concat([
      gz.subarray(0, 3),
      Buffer.from([4 | 8 | 16]),
      gz.subarray(4, 10),
      Buffer.from([3, 0]),
      Buffer.from("abcname\0comment\0"),
      gz.subarray(10),
    ]);
    for (const pieceBytes of [1, 13, fancy.length])
      expect(await judge(fancy, { pieceBytes })).toMatchObject({ as: "verbatim" });
  });

  test("stored and flushed deflate blocks", async () => {
    const tar = tarOf(...plain);
    expect(await judge(gzipSync(tar, { level: 0 }))).toEqual({ as: "verbatim", contentDigest: golden });
    expect(await judge(gzipSync(tar, { strategy: constants.Z_FIXED }))).toEqual({
      as: "verbatim",
      contentDigest: golden,
    });
  });
});

describe("unordered: fine as it is, but only the tree knows the digest", () => {
  test.each<[string, Buffer]>([
    ["another order", other],
    [
      "a walk, which takes what is in d before d-e",
      tarOf({ name: "d", type: "5", mode: 0o755 }, { name: "d/a", content: "x" }, { name: "d-e", content: "y" }),
    ],
    ["a .sourceignore", tarOf({ name: ".sourceignore", content: "*.md" }, { name: "a", content: "x" })],
  ])("%s", async (_, tar) => {
    expect(await judge(gzipSync(tar))).toEqual({ as: "unordered" });
  });
});

test("verbatim, unordered and rewritten forms of one content have one digest", async () => {
  const forms = [
    tarOf(...plain),
    other,
    tarOf(
      gnuLong("L", "d/b"),
      { name: "x", content: "x".repeat(3000), mode: 0o755 },
      { name: "a", content: "old" },
      { name: "a", content: "hello", uid: base256(-2n, 8) },
    ),
  ];
  const digests = await Promise.all(
    forms.map(async (tar, i) => {
      const { tree } = await readTar(inPieces(tar), {
        compression: "none",
        spoolPath: join(dir, `form-${i}`),
        budget: budgetOf(),
        signal,
      });
      return contentDigestOf(tree, undefined, signal);
    }),
  );
  expect(digests).toEqual([golden, golden, golden]);
});

describe("rewrite", () => {
  const file: TarFields = { name: "a", content: "x" };
  test.each<[string, Buffer]>([
    ["a symlink", tarOf(file, { name: "s", type: "2", link: "a" })],
    ["a hard link", tarOf(file, { name: "h", type: "1", link: "a" })],
    ["a device", tarOf(file, { name: "c", type: "3" })],
    ["a FIFO", tarOf(file, { name: "p", type: "6" })],
    ["GNU", tarOf({ ...file, magic: "ustar  \0" })],
    ["a GNU long name", tarOf(gnuLong("L", "x"), file)],
    ["another PAX record", tarOf(paxEntry([["SCHILY.xattr.user.x", "1"]]), file)],
    ["a PAX time that Go refuses", tarOf(paxEntry([["mtime", "1e9"]]), file)],
    ["a global PAX header", tarOf(paxEntry([["comment", "x"]], "g"), file)],
    ["base 256", tarOf({ ...file, uid: base256(1n, 8) })],
    ["the same path twice", tarOf(file, file)],
    ["the same path spelled in two ways", tarOf(file, { name: "./a", content: "y" })],
    ["a directory twice", tarOf(file, { name: "d", type: "5", mode: 0o755 }, { name: "d/", type: "5", mode: 0o755 })],
    ["a file with the name of a directory", tarOf({ name: "d/x" }, { name: "d", content: "x" })],
    ["a file below a file", tarOf(file, { name: "a/b" })],
    ["a dot in the path", tarOf({ name: "d/./a" })],
    ["a doubled slash", tarOf({ name: "d//a" })],
    ["./ twice", tarOf({ name: "././a" })],
    ["..", tarOf({ name: "../a" })],
    ["an absolute path", tarOf({ name: "/a" })],
    ["a backslash", tarOf({ name: "a\\b" })],
    ["a part that ends in two dots", tarOf({ name: "a../b" })],
    ["a part of 256 bytes", tarOf(paxEntry([["path", "x".repeat(256)]]), file)],
    ["a file the owner cannot read", tarOf({ ...file, mode: 0o044 })],
    ["a directory the owner cannot enter", tarOf(file, { name: "d", type: "5", mode: 0o644 })],
    ["setgid", tarOf(file, { name: "d", type: "5", mode: 0o2755 })],
    ["a mode that says directory", tarOf({ ...file, mode: 0o040755 })],
    ["a file by the name of the root", tarOf({ name: "./" })],
    ["no file", tarOf({ name: "d", type: "5", mode: 0o755 })],
    ["no entries", tarOf()],
    ["no end", tarEntry(file)],
    ["half an end", Buffer.concat([tarEntry(file), Buffer.alloc(512)])],
    ["an entry after the end", Buffer.concat([tarOf(file), tarOf({ name: "b" })])],
    ["a directory with a size", tarOf({ name: "d", type: "5", mode: 0o755, content: "x" })],
    ["half a body", tarEntry(file).subarray(0, 700)],
    ["a default exclusion", tarOf({ name: "img.png" }, file)],
    ["a file in an excluded directory", tarOf({ name: ".git/config" }, file)],
    ["no tar at all", Buffer.from("just text")],
  ])("%s", async (_, tar) => {
    expect(await judge(gzipSync(tar))).toEqual({ as: "rewrite", reason: expect.stringMatching(/./) as string });
  });

  const gz = gzipSync(tarOf(...plain));
  const changed = (at: number): Buffer => Buffer.from(gz).fill(gz.at(at)! ^ 1, gz.length + at, gz.length + at + 1);
  test.each<[string, Buffer]>([
    ["two members", Buffer.concat([gz, gzipSync(Buffer.alloc(0))])],
    ["zeros behind the stream", Buffer.concat([gz, Buffer.alloc(1)])],
    ["junk behind the stream", Buffer.concat([gz, Buffer.from("junk that is long enough")])],
    ["a wrong checksum", changed(-8)],
    ["a wrong length", changed(-1)],
    ["half a trailer", gz.subarray(0, -4)],
    ["no trailer", gz.subarray(0, -8)],
    ["half a stream", gz.subarray(0, gz.length / 2)],
    ["half a header", gz.subarray(0, 5)],
    ["nothing", Buffer.alloc(0)],
    ["another method", Buffer.concat([Buffer.from([0x1f, 0x8b, 7]), gz.subarray(3)])],
    ["a header checksum", Buffer.concat([gz.subarray(0, 3), Buffer.from([2]), gz.subarray(4)])],
    [
      "a name longer than Go takes",
      Buffer.concat([
        gz.subarray(0, 3),
        Buffer.from([8]),
        gz.subarray(4, 10),
        Buffer.alloc(600, "n"),
        Buffer.alloc(1),
        gz.subarray(10),
      ]),
    ],
    [
      "a name without an end",
      Buffer.concat([gz.subarray(0, 3), Buffer.from([8]), gz.subarray(4, 10), Buffer.alloc(100, "n")]),
    ],
    ["broken deflate", Buffer.concat([gz.subarray(0, 10), Buffer.alloc(100, 0xff)])],
  ])("gzip: %s", async (_, layer) => {
    for (const pieceBytes of [1, 16, layer.length || 1])
      expect(await judge(layer, { pieceBytes })).toMatchObject({ as: "rewrite" });
  });

  test("spec.ignore decides in place of the default exclusions", async () => {
    const tar = gzipSync(tarOf({ name: "docs/a" }, { name: "img.png" }));
    expect(await judge(tar, { ignore: "/docs" })).toMatchObject({ as: "rewrite" });
    expect(await judge(tar, { ignore: "/other" })).toMatchObject({ as: "verbatim" });
  });

  test.each<[string, Parameters<typeof budgetOf>]>([
    ["expanded bytes", [{ maxExpandedBytes: 4000 }]],
    ["ratio", [{ ratioFloorBytes: 1000, maxRatio: 2 }]],
    ["entries", [{ maxEntries: 2 }]],
    ["name", [{ maxNameBytes: 2 }]],
  ])("a limit: %s", async (_, limits) => {
    expect(await judge(gz, { budget: budgetOf(...limits) })).toMatchObject({ as: "rewrite" });
  });
});
