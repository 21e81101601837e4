import { gzipSync, zstdCompressSync } from "node:zlib";
import { zipOf, type ZipFields } from "../archives/zip.ts";
import { makeTar } from "./make-tar.ts";
import { Random } from "./random.ts";

export type Container = "tar" | "gzip" | "zstd" | "zip";

/** An archive in pieces, and how they become its bytes: a failing case is made smaller piece by piece. */
export interface FuzzCase {
  readonly container: Container;
  readonly parts: readonly Buffer[];
  /** The bytes of the container around these parts. */
  readonly wrap: (parts: readonly Buffer[]) => Buffer;
}

export function makeCase(seed: number): FuzzCase {
  const random = new Random(seed);
  const container = random.pick<Container>(["gzip", "gzip", "gzip", "gzip", "tar", "zstd", "zip"]);
  if (container === "zip") return makeZip(random);
  const parts = makeTar(random);
  const style = random.below(16);
  const cut = random.below(100);
  return { container, parts, wrap: (left) => wrapped(container, Buffer.concat(left), { style, cut }) };
}

interface Wrapping {
  readonly style: number;
  /** Per cent of the content where something happens. */
  readonly cut: number;
}

function wrapped(container: Container, content: Buffer, wrapping: Wrapping): Buffer {
  if (container === "tar") return content;
  const compress = container === "gzip" ? gzipSync : zstdCompressSync;
  const { style, cut } = wrapping;
  const at = Math.floor((content.length * cut) / 100);
  const whole = compress(content);
  const oddities: readonly (() => Buffer)[] = [
    () => Buffer.concat([compress(content.subarray(0, at)), compress(content.subarray(at))]),
    () => Buffer.concat([whole, compress(Buffer.alloc(0))]),
    () => Buffer.concat([whole, Buffer.alloc(1 + (cut % 20))]),
    () => Buffer.concat([whole, Buffer.from("trailing")]),
    () => whole.subarray(0, whole.length - 1 - (cut % 12)),
    () => changed(whole, whole.length - 1 - (cut % 8)),
    () => changed(whole, cut % whole.length),
    () => (container === "gzip" ? withHeader(whole, cut) : Buffer.concat([skippable(cut), whole])),
  ];
  return oddities[style]?.() ?? whole;
}

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[Math.max(0, at)]! ^= 0x10;
  return copy;
}

/** RFC 1952: fields that nobody writes, but every reader has to pass. */
function withHeader(gzip: Buffer, cut: number): Buffer {
  const header = Buffer.from(gzip.subarray(0, 10));
  const flags = cut % 32;
  header[3] = flags;
  const extra = flags & 4 ? Buffer.from([3, 0, 1, 2, 3]) : Buffer.alloc(0);
  const name = flags & 8 ? Buffer.from("name\0") : Buffer.alloc(0);
  const comment = flags & 16 ? Buffer.from("comment\0") : Buffer.alloc(0);
  const crc = flags & 2 ? Buffer.from([0, 0]) : Buffer.alloc(0);
  return Buffer.concat([header, extra, name, comment, crc, gzip.subarray(10)]);
}

/** RFC 8878, 3.1.2. */
function skippable(cut: number): Buffer {
  const frame = Buffer.alloc(8 + (cut % 30));
  frame.writeUInt32LE(0x184d2a50 + (cut % 16), 0);
  frame.writeUInt32LE(frame.length - 8, 4);
  return frame;
}

function makeZip(random: Random): FuzzCase {
  const names = ["a", "d/b", "d/", "é", "d/e/f", "x.yaml", "a"];
  const entries = Array.from({ length: 1 + random.below(5) }, (): ZipFields => ({
    name: random.pick(names),
    content: "z".repeat(random.pick([0, 1, 100, 5000])) + random.below(3),
    ...(random.chance(4) && { method: 0 }),
    ...(random.chance(6) && { hasDescriptor: true }),
    ...(random.chance(8) && { isZip64: true }),
    ...(random.chance(12) && { crc: 1 }),
    ...(random.chance(12) && { size: 7 }),
    ...(random.chance(8) && { mode: random.pick([0o120777, 0o040755, 0o100755, 0o010644]) }),
  }));
  const flip = random.chance(6) ? random.below(100_000) : -1;
  const parts = entries.map((entry) => Buffer.from(JSON.stringify(entry)));
  return {
    container: "zip",
    parts,
    wrap: (left) => {
      const zip = zipOf(...left.map((part) => JSON.parse(part.toString()) as ZipFields));
      return flip < 0 ? zip : changed(zip, flip % zip.length);
    },
  };
}
