import { base256, gnuLong, paxEntry, tarEntry, tarHeader, type TarFields } from "../archives/tar.ts";
import type { Random } from "./random.ts";

const blockBytes = 512;

const plainNames = [
  "a",
  "b.yaml",
  "d/e",
  "d/e/f.txt",
  "d",
  "k",
  "./a",
  "d/",
  "d//e",
  "é",
  "x y",
  "d/../a",
  "/abs",
  "a\\b",
];

/** Blocks that together are more or less a tar; any of them can be left out to make a failing case smaller. */
export function makeTar(random: Random): Buffer[] {
  const parts: Buffer[] = [];
  const count = 1 + random.below(6);
  for (let i = 0; i < count; i++) parts.push(...entryParts(random));
  for (let i = random.pick([2, 2, 2, 2, 0, 1, 3, 20]); i > 0; i--) parts.push(Buffer.alloc(blockBytes));
  if (random.chance(12)) parts.push(...entryParts(random));
  if (random.chance(20)) parts.push(Buffer.from("trailing"));
  return parts;
}

function entryParts(random: Random): Buffer[] {
  const fields = fieldsOf(random);
  return [...extensions(random), entryBlock(random, fields)];
}

/** Values that a field has once in so many times. */
type Oddities = { readonly [F in keyof TarFields]?: readonly [oneIn: number, values: readonly TarFields[F][]] };

const oddities: Oddities = {
  link: [30, ["a", "d/e"]],
  mode: [4, [0o755, 0o600, 0, 0o4755, 0o100644, "0000644 ", "777\0\0\0\0\0"]],
  magic: [8, ["ustar  \0", "\0\0\0\0\0\0\0\0", "ustar\u00000\0", "ustar\u000001"]],
  prefix: [8, ["p", "p/q", "d", "d/e/", "/r", ".."]],
  mtime: [10, [1, 0o7777777, "0", "-1\0", base256(-5n, 12), base256(99n, 12)]],
  size: [14, [0, 1, 512, 5000, base256(5n, 12), base256(-1n, 12), "5\0", " 12 "]],
  trailer: [25, ["tar\0", "xxxxxxxxtar\0", "junk"]],
  checksum: [25, [0, "0000000 ", "junk"]],
};

const types = ["0", "0", "0", "0", "0", "5", "5", "2", "1", "\0", "7", "3", "6", "g", "S", "V", "Z"];
const links = ["a", "d/e", "b.yaml", "../out", "gone"];

function fieldsOf(random: Random): TarFields {
  const type = random.pick(types);
  const hasBody = "0\u00007".includes(type) || random.chance(10);
  const content = hasBody ? "x".repeat(random.pick([0, 1, 5, 511, 512, 513, 1500])) + random.below(4) : "";
  const odd = Object.entries(oddities).flatMap(([field, [oneIn, values]]) =>
    random.chance(oneIn) ? [[field, random.pick<unknown>(values)] as const] : [],
  );
  const link = "12".includes(type) ? { link: random.pick(links) } : {};
  return { name: nameOf(random), content, type, ...link, ...Object.fromEntries(odd) };
}

function nameOf(random: Random): string | Buffer {
  if (random.chance(10)) return "n".repeat(random.pick([98, 99, 100]));
  if (random.chance(15)) return Buffer.from([0x61, random.below(256), 0x62, random.below(256)]);
  if (random.chance(15)) return Buffer.from(`a\0${random.pick(["b", "/x", ""])}`);
  return random.pick(plainNames);
}

/** PAX and GNU headers before an entry, in any order and number. */
function extensions(random: Random): Buffer[] {
  const parts: Buffer[] = [];
  while (random.chance(3)) {
    const name = random.pick([...plainNames, "p".repeat(150), `${"q".repeat(90)}/r`]);
    const kind = random.below(6);
    if (kind === 0) parts.push(gnuLong("L", name));
    else if (kind === 1) parts.push(gnuLong("K", name));
    else parts.push(paxEntry(records(random, name), random.chance(8) ? "g" : "x"));
  }
  return parts;
}

function records(random: Random, name: string): (readonly [string, string])[] {
  const all: (readonly [string, string])[] = [
    ["path", name],
    ["path", ""],
    ["path", `${name}\0x`],
    ["linkpath", "a"],
    ["size", String(random.pick([0, 1, 5, 512, 513]))],
    ["size", random.pick(["", "-1", "5x", "0x5", "99999999999999999999"])],
    ["mtime", random.pick(["1", "1.5", "-1", "", "1e3"])],
    ["uid", "0"],
    ["comment", "c"],
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.name", "s"],
    ["SCHILY.xattr.user.k", "v"],
    ["hdrcharset", "BINARY"],
    ["LIBARCHIVE.creationtime", "1"],
  ];
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(all));
}

function entryBlock(random: Random, fields: TarFields): Buffer {
  const block = tarEntry(fields);
  if (random.chance(20)) return tarHeader(fields);
  if (random.chance(20)) return flipped(random, block, random.chance(2));
  return block;
}

/** One byte changed, with the checksum made right again or not. */
function flipped(random: Random, block: Buffer, isMended: boolean): Buffer {
  const changed = Buffer.from(block);
  changed[random.below(isMended ? blockBytes : changed.length)]! ^= 1 << random.below(8);
  if (!isMended) return changed;
  changed.fill(0x20, 148, 156);
  const sum = changed.subarray(0, blockBytes).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return changed;
}
