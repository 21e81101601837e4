import { describe, expect, test } from "vitest";
import { CodedError } from "../errors.ts";
import { base256, gnuLong, paxEntry, tarEntry, tarHeader, tarOf, type TarFields } from "../testing/archives/tar.ts";
import { quote } from "./path.ts";
import { TarScanner, type ScannedEntry } from "./scanner.ts";

const limits = { maxEntries: 100, maxNameBytes: 200 };

interface Scan {
  readonly entries: ScannedEntry[];
  readonly oddities: string[];
  readonly bodies: string[];
}

/** What the scanner tells of a tar that comes in pieces of `pieceBytes`. */
function scan(tar: Buffer, pieceBytes = tar.length, more = limits): Scan {
  const result: Scan = { entries: [], oddities: [], bodies: [] };
  const scanner = new TarScanner(
    {
      entry: (entry) => {
        result.entries.push(entry);
        result.bodies.push("");
      },
      data: (chunk, start, end) =>
        void (result.bodies[result.bodies.length - 1] += chunk.toString("latin1", start, end)),
      oddity: (reason) => void result.oddities.push(reason),
    },
    more,
  );
  for (let at = 0; at < tar.length; at += pieceBytes) scanner.push(tar.subarray(at, at + pieceBytes));
  scanner.finish();
  return result;
}

function codeOfScan(tar: Buffer): string {
  try {
    scan(tar);
    return "none";
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}

/** The checksum that a header states. */
const sumOf = (header: Buffer): number => Number.parseInt(header.toString("latin1", 148, 154), 8);

/** `[type, name, size, link]` of every entry. */
function rows(tar: Buffer): unknown[][] {
  return scan(tar).entries.map(({ type, name, size, link }) =>
    link === "" ? [type, name, size] : [type, name, size, link],
  );
}

describe("entries", () => {
  const long = `${"d".repeat(60)}/${"f".repeat(90)}`;
  test.each<[string, Buffer, unknown[][]]>([
    [
      "files and directories",
      tarOf({ name: "d/", type: "5", mode: 0o755 }, { name: "d/a", content: "hello" }, { name: "empty" }),
      [
        ["dir", "d/", 0],
        ["file", "d/a", 5],
        ["file", "empty", 0],
      ],
    ],
    ["a ustar prefix", tarOf({ name: "b", prefix: "long/a", content: "x" }), [["file", "long/a/b", 1]]],
    [
      "a ustar prefix under another version",
      tarOf({ name: "b", prefix: "a", magic: "ustar\0\0\0", content: "x" }),
      [["file", "a/b", 1]],
    ],
    [
      "GNU's area in place of the prefix",
      tarOf({ name: "b", prefix: "00000000000", magic: "ustar  \0", content: "x" }),
      [["file", "b", 1]],
    ],
    [
      "a checksum of signed bytes",
      tarOf({
        name: "é",
        content: "x",
        checksum: `${(sumOf(tarHeader({ name: "é", content: "x" })) - 2 * 256).toString(8).padStart(6, "0")}\0 `,
      }),
      [["file", "é", 1]],
    ],
    ["a header of before ustar", tarOf({ name: "b", type: "\0", magic: "", content: "x" }), [["file", "b", 1]]],
    [
      "star's prefix",
      tarOf({ name: "b", prefix: "a", trailer: "\0\0\0\0\0\0\0\0tar\0", content: "x" }),
      [["file", "a/b", 1]],
    ],
    [
      "a directory of before ustar: a file with a slash",
      tarOf({ name: "d/", type: "\0", magic: "" }),
      [["dir", "d/", 0]],
    ],
    [
      "a PAX path and size",
      tarOf(
        paxEntry([
          ["path", long],
          ["size", "3"],
        ]),
        { name: "stub", size: 0, content: "abc" },
      ),
      [["file", long, 3]],
    ],
    [
      "PAX with empty records, which leave the header's values",
      tarOf(
        paxEntry([
          ["path", ""],
          ["size", ""],
        ]),
        { name: "a", content: "x" },
      ),
      [["file", "a", 1]],
    ],
    [
      "PAX, for the next entry only",
      tarOf(paxEntry([["path", "x"]]), { name: "a" }, { name: "b" }),
      [
        ["file", "x", 0],
        ["file", "b", 0],
      ],
    ],
    [
      "a PAX name with an equals sign and a newline",
      tarOf(paxEntry([["path", "a=b\nc"]]), { name: "s" }),
      [["file", "a=b\nc", 0]],
    ],
    ["a global PAX comment", tarOf(paxEntry([["comment", "0f00"]], "g"), { name: "a" }), [["file", "a", 0]]],
    [
      "GNU long names",
      tarOf(gnuLong("L", long), gnuLong("K", "target"), { name: "s", type: "2", link: "t" }),
      [["symlink", long, 0, "target"]],
    ],
    [
      "base-256 numbers",
      tarOf({ name: "a", size: base256(3n, 12), mode: base256(0o755n, 8), content: "abc" }),
      [["file", "a", 3]],
    ],
    [
      "links and special files",
      tarOf(
        { name: "h", type: "1", link: "a" },
        { name: "s", type: "2", link: "../x" },
        { name: "c", type: "3" },
        { name: "b", type: "4" },
        { name: "f", type: "6" },
      ),
      [
        ["hardlink", "h", 0, "a"],
        ["symlink", "s", 0, "../x"],
        ["special", "c", 0],
        ["special", "b", 0],
        ["special", "f", 0],
      ],
    ],
    ["a contiguous file", tarOf({ name: "a", type: "7", content: "x" }), [["file", "a", 1]]],
    ["names beyond ASCII", tarOf({ name: "é/世界😀" }), [["file", "é/世界😀", 0]]],
    ["no entries", tarOf(), []],
    [
      "a time before 1970 and an immense owner",
      tarOf({ name: "a", mtime: base256(-1n, 12), uid: base256(-2n, 8) }),
      [["file", "a", 0]],
    ],
    [
      "numbers in spaces",
      tarOf({ name: "a", mode: "   644 \0", size: "          1 ", content: "x" }),
      [["file", "a", 1]],
    ],
  ])("%s", (_, tar, expected) => {
    expect(rows(tar)).toEqual(expected);
  });

  test("the offset of a body is where its bytes lie", () => {
    const tar = tarOf({ name: "a", content: "x".repeat(700) }, paxEntry([["path", "b"]]), { name: "s", content: "yy" });
    for (const { offset, size } of scan(tar, 100).entries)
      expect(["x".repeat(700), "yy"]).toContain(tar.toString("latin1", offset, offset + size));
  });

  test("the mode is told as it stands", () => {
    expect(scan(tarOf({ name: "a", mode: 0o4755 })).entries[0]!.mode).toBe(0o4755);
  });
});

describe("what not every reader reads alike is told", () => {
  const file: TarFields = { name: "a", content: "x" };
  test.each<[string, Buffer, boolean]>([
    ["plain ustar", tarOf({ name: "d", type: "5" }, file), false],
    [
      "plain PAX",
      tarOf(
        paxEntry([
          ["path", "x"],
          ["size", "1"],
          ["mtime", "1700000000.5"],
        ]),
        file,
      ),
      false,
    ],
    ["no end", tarEntry(file), true],
    ["half an end", Buffer.concat([tarEntry(file), Buffer.alloc(512)]), true],
    ["GNU", tarOf({ ...file, magic: "ustar  \0" }), true],
    ["another version", tarOf({ ...file, magic: "ustar\0  " }), true],
    ["star", tarOf({ ...file, trailer: "\0\0\0\0\0\0\0\0tar\0" }), true],
    ["bytes after the last field", tarOf({ ...file, trailer: "x" }), true],
    ["bytes after a name's end", tarOf({ ...file, name: "a\0b" }), true],
    ["a type bit in the mode", tarOf({ ...file, mode: 0o040644 }), true],
    ["a symlink's bits in the mode", tarOf({ ...file, mode: 0o120644 }), true],
    ["setuid", tarOf({ ...file, mode: 0o4755 }), true],
    ["base 256", tarOf({ ...file, size: base256(1n, 12) }), true],
    ["a negative time", tarOf({ ...file, mtime: base256(-1n, 12) }), true],
    ["a leading space", tarOf({ ...file, mode: " 000644\0" }), true],
    ["a device number in letters", tarOf({ ...file, devmajor: "zz" }), true],
    ["another PAX record", tarOf(paxEntry([["uname", "me"]]), file), true],
    [
      "a PAX record twice",
      tarOf(
        paxEntry([
          ["path", "b"],
          ["path", "c"],
        ]),
        file,
      ),
      true,
    ],
    ["an empty PAX record", tarOf(paxEntry([["path", ""]]), file), true],
    ["a PAX time that Go refuses", tarOf(paxEntry([["mtime", "yesterday"]]), file), true],
    ["a global PAX header", tarOf(paxEntry([["comment", "x"]], "g"), file), true],
    ["a GNU long name", tarOf(gnuLong("L", "x"), file), true],
    ["a link's target on a file, which node-tar refuses", tarOf({ ...file, link: "b" }), true],
    ["an old type flag", tarOf({ ...file, type: "\0" }), true],
    ["a symlink", tarOf({ name: "a", type: "2", link: "b" }), true],
    ["a file with a slash", tarOf({ name: "a/" }), true],
  ])("%s: %s", (_, tar, isOdd) => {
    expect(scan(tar).oddities.length > 0).toBe(isOdd);
  });
});

describe("a name that is not UTF-8", () => {
  const odd = Buffer.from([0x63, 0xe9, 0x2f, 0xc3, 0xa9, 0xff, 0xf0, 0x9f, 0x98, 0x80, 0xc3]);
  const text = "c\udce9/é\udcff😀\udcc3";
  const pax = Buffer.concat([Buffer.from(`${odd.length + 9} path=`), odd, Buffer.from("\n")]);

  test.each<[string, Buffer]>([
    ["in the header", tarOf({ name: odd, content: "x" })],
    ["in a PAX record", tarOf(tarEntry({ name: "p", type: "x", content: pax }), { name: "a", content: "x" })],
    [
      "in GNU's long name",
      tarOf(tarEntry({ name: "l", type: "L", content: Buffer.concat([odd, Buffer.from([0])]) }), {
        name: "a",
        content: "x",
      }),
    ],
  ])("is told from every other: %s", (_, tar) => {
    expect(scan(tar).entries[0]!.name).toBe(text);
    expect(text.isWellFormed()).toBe(false);
    expect(quote(text)).toBe('"c\\xe9/é\\xff😀\\xc3"');
  });

  test("that is immense is refused", () => {
    const long = tarEntry({ name: "l", type: "L", content: Buffer.alloc(70_000, 0xff) });
    expect(codeOfScan(tarOf(long, { name: "a" }))).toBe("ArchiveInvalid");
  });
});

describe("refused", () => {
  const wrong = tarOf({ name: "a" });
  wrong[0]! ^= 1;
  const tail = (bytes: Buffer): Buffer => Buffer.concat([tarOf({ name: "a" }), bytes]);
  test.each<[string, Buffer, string]>([
    ["a wrong checksum", wrong, "ArchiveInvalid"],
    ["an unreadable checksum", tarOf({ name: "a", checksum: "zz" }), "ArchiveInvalid"],
    ["an unreadable size", tarOf({ name: "a", size: "12x" }), "ArchiveInvalid"],
    ["a negative size", tarOf({ name: "a", size: base256(-1n, 12) }), "ArchiveInvalid"],
    ["an immense size", tarOf({ name: "a", size: base256(1n << 80n, 12) }), "ArchiveInvalid"],
    ["a size of 2^53 - 1 with no body", tarOf({ name: "a", size: base256((1n << 53n) - 1n, 12) }), "ArchiveInvalid"],
    ["a directory with a size", tarOf({ name: "d", type: "5", size: 512, content: "x".repeat(512) }), "ArchiveInvalid"],
    [
      "a directory with a PAX size",
      tarOf(paxEntry([["size", "512"]]), { name: "d", type: "5" }, Buffer.alloc(512)),
      "ArchiveInvalid",
    ],
    ["a hard link with a size", tarOf({ name: "h", type: "1", link: "a", content: "x" }), "ArchiveInvalid"],
    [
      "text in the place of GNU's times, which Go reads as a prefix",
      tarOf({ name: "a", magic: "ustar  \0", prefix: "d/e/" }),
      "ArchiveInvalid",
    ],
    ["a PAX path with a NUL", tarOf(paxEntry([["path", "a\0b"]]), { name: "a" }), "ArchiveInvalid"],
    [
      "a PAX record that is too long",
      tarOf(tarEntry({ name: "p", type: "x", content: "99 path=a\n" }), { name: "a" }),
      "ArchiveInvalid",
    ],
    [
      "a PAX record that is too short",
      tarOf(tarEntry({ name: "p", type: "x", content: "3 path=a\n" }), { name: "a" }),
      "ArchiveInvalid",
    ],
    [
      "a PAX record without a length",
      tarOf(tarEntry({ name: "p", type: "x", content: "path=a\n" }), { name: "a" }),
      "ArchiveInvalid",
    ],
    [
      "a PAX record with a length of many digits",
      tarOf(tarEntry({ name: "p", type: "x", content: "999999999999 path=a\n" }), { name: "a" }),
      "ArchiveInvalid",
    ],
    [
      "a PAX record without a newline",
      tarOf(tarEntry({ name: "p", type: "x", content: "9 path=ab" }), { name: "a" }),
      "ArchiveInvalid",
    ],
    ["a negative PAX size", tarOf(paxEntry([["size", "-1"]]), { name: "a" }), "ArchiveInvalid"],
    [
      "two PAX headers in a row",
      tarOf(paxEntry([["path", "x"]]), paxEntry([["path", "y"]]), { name: "a" }),
      "ArchiveInvalid",
    ],
    ["two long names in a row", tarOf(gnuLong("L", "x"), gnuLong("L", "y"), { name: "a" }), "ArchiveInvalid"],
    ["PAX and a long name", tarOf(paxEntry([["path", "x"]]), gnuLong("L", "y"), { name: "a" }), "ArchiveInvalid"],
    ["a PAX header at the end", tarOf(paxEntry([["path", "x"]])), "ArchiveInvalid"],
    ["a long name at the end", tarOf(gnuLong("L", "x")), "ArchiveInvalid"],
    ...[paxEntry([["path", "x"]]), gnuLong("L", "x"), gnuLong("K", "x")].map((local, at): [string, Buffer, string] => [
      `a global header after a local one of kind ${"xLK"[at]}`,
      tarOf(local, paxEntry([["comment", "c"]], "g"), { name: "a" }),
      "ArchiveInvalid",
    ]),
    ["a name that is empty", tarOf({ name: "", mode: 0o600 }), "ArchiveInvalid"],
    ["an empty long name", tarOf(gnuLong("L", ""), { name: "a" }), "ArchiveInvalid"],
    ["a symlink to nothing", tarOf({ name: "a", type: "2" }), "ArchiveInvalid"],
    ["a global path", tarOf(paxEntry([["path", "x"]], "g"), { name: "a" }), "ArchiveUnsupported"],
    ["a PAX sparse file", tarOf(paxEntry([["GNU.sparse.major", "1"]]), { name: "a" }), "ArchiveUnsupported"],
    ["an old GNU sparse file", tarOf({ name: "a", type: "S" }), "ArchiveUnsupported"],
    ["a multi-volume member", tarOf({ name: "a", type: "M" }), "ArchiveUnsupported"],
    ["an extended header of Solaris", tarOf({ name: "a", type: "X" }), "ArchiveUnsupported"],
    ["an immense PAX header", tarOf({ name: "p", type: "x", size: 2 ** 20 + 1 }), "ArchiveTooLarge"],
    ["an immense long name", tarOf({ name: "p", type: "L", size: base256(1n << 40n, 12) }), "ArchiveTooLarge"],
    [
      "a name of more bytes than the limit",
      tarOf(paxEntry([["path", "é".repeat(101)]]), { name: "a" }),
      "ArchiveUnsafePath",
    ],
    [
      "a link target of more bytes than the limit",
      tarOf(gnuLong("K", "x".repeat(201)), { name: "a", type: "2" }),
      "ArchiveUnsafePath",
    ],
    [
      "more entries than the limit",
      tarOf(...Array.from({ length: 101 }, (_, i) => ({ name: `f${i}` }))),
      "ArchiveTooManyEntries",
    ],
    [
      "more global headers than the limit",
      tarOf(...Array.from({ length: 101 }, () => paxEntry([["comment", "x"]], "g"))),
      "ArchiveTooManyEntries",
    ],
    ["data after the end", tail(Buffer.from("junk")), "ArchiveInvalid"],
    ["an entry after the end", tail(tarEntry({ name: "b" })), "ArchiveInvalid"],
    [
      "an entry after one block of zeros",
      Buffer.concat([tarEntry({ name: "a" }), Buffer.alloc(512), tarOf({ name: "b" })]),
      "ArchiveInvalid",
    ],
    ["half a header", tarHeader({ name: "a" }).subarray(0, 300), "ArchiveInvalid"],
    ["half a body", tarEntry({ name: "a", content: "x".repeat(600) }).subarray(0, 800), "ArchiveInvalid"],
    [
      "a body without its padding",
      tarEntry({ name: "a", content: "x".repeat(600) }).subarray(0, 1112),
      "ArchiveInvalid",
    ],
    ["half a PAX header", paxEntry([["path", "x"]]).subarray(0, 515), "ArchiveInvalid"],
  ])("%s", (_, tar, code) => {
    expect(codeOfScan(tar)).toBe(code);
  });

  test("zeros after the end are not", () => {
    expect(scan(tail(Buffer.alloc(9000))).oddities).toEqual([]);
  });
});

/** mulberry32: the same numbers each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomTar(next: () => number): Buffer {
  const parts = Array.from({ length: 1 + Math.floor(next() * 8) }, (_, i): (TarFields | Buffer)[] => {
    const content = Buffer.alloc(Math.floor(next() * 3) * 256 + Math.floor(next() * 300), i + 65);
    const extra = [
      paxEntry([["path", `pax/${i}-${"p".repeat(next() * 150)}`]]),
      gnuLong("L", `gnu/${i}`),
      paxEntry([["comment", "c".repeat(next() * 900)]], "g"),
    ];
    const before = next() < 0.5 ? [extra[Math.floor(next() * extra.length)]!] : [];
    return [...before, next() < 0.2 ? { name: `d${i}`, type: "5" } : { name: `f${i}`, content }];
  });
  return tarOf(...parts.flat());
}

describe("pieces of any size make no difference", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    const next = random(seed);
    const tar = randomTar(next);
    const whole = scan(tar);
    expect(whole.entries.length).toBeGreaterThan(0);
    for (const size of [1, 7, 511, 512, 513, 1024, 1 + Math.floor(next() * 3000)])
      expect(scan(tar, size)).toEqual(whole);
  });

  test("a tar with one bit changed is read, or refused with a code, but never hangs or ends otherwise", () => {
    const next = random(99);
    const codes = new Set<string>();
    for (let round = 0; round < 3000; round++) {
      const tar = randomTar(next);
      tar[Math.floor(next() * tar.length)]! ^= 1 << Math.floor(next() * 8);
      codes.add(codeOfScan(tar));
    }
    expect([...codes].sort()).toContain("ArchiveInvalid");
  });
});
