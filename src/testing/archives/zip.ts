import { crc32, deflateRawSync } from "node:zlib";

/** Builds zip files for tests, also broken ones. */
export interface ZipFields {
  readonly name: string;
  readonly content?: string | Buffer;
  /** 0 stored, 8 deflated (default). */
  readonly method?: number;
  /** Unix mode with its file type bits. */
  readonly mode?: number;
  readonly flags?: number;
  /** What the headers state in place of the truth. */
  readonly crc?: number;
  readonly size?: number;
  /** The stored bytes in place of the compressed content. */
  readonly body?: Buffer;
  /** Sizes and checksum behind the body instead of before it. */
  readonly hasDescriptor?: boolean;
  /** Sizes in the zip64 extra field of the directory. */
  readonly isZip64?: boolean;
  /** Where the directory says the entry begins. */
  readonly offset?: number;
}

const descriptorFlag = 8;
const utf8Flag = 0x800;

export function zipOf(...entries: readonly ZipFields[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { local, central } = encode(entry, at);
    bodies.push(local);
    directory.push(central);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...bodies, central, endOfDirectory(entries.length, central.length, at)]);
}

/** A zip that begins like one and points to its directory at any 64-bit offset. */
export function zipWithDirectoryAt(offset: bigint): Buffer {
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(offset, 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([
    Buffer.from("PK\x03\x04"),
    Buffer.alloc(100),
    locator,
    endOfDirectory(0xffff, 0xffffffff, 0xffffffff),
  ]);
}

function encode(fields: ZipFields, at: number): { local: Buffer; central: Buffer } {
  const entry = { method: 8, flags: 0, mode: 0o100644, hasDescriptor: false, isZip64: false, offset: at, ...fields };
  const name = Buffer.from(entry.name);
  const { body, ...sums } = measure(entry, entry.method);
  const shared = { method: entry.method, flags: entry.flags | utf8Flag | (entry.hasDescriptor ? descriptorFlag : 0) };
  const local = common(name, { ...shared, ...(entry.hasDescriptor ? { crc: 0, compressed: 0, size: 0 } : sums) });
  const descriptor = entry.hasDescriptor
    ? numbers([0x08074b50, sums.crc, sums.compressed, sums.size])
    : Buffer.alloc(0);
  const extra = entry.isZip64 ? zip64Extra(sums.size, sums.compressed) : Buffer.alloc(0);
  const stated = entry.isZip64 ? { ...sums, size: 0xffffffff, compressed: 0xffffffff } : sums;
  const attributes = Buffer.alloc(14);
  attributes.writeUInt32LE((entry.mode << 16) >>> 0, 6);
  attributes.writeUInt32LE(entry.offset, 10);
  return {
    local: Buffer.concat([Buffer.from("PK\x03\x04"), local, name, body, descriptor]),
    central: Buffer.concat([
      Buffer.from("PK\x01\x02"),
      Buffer.from([20, 3]),
      common(name, { ...shared, ...stated, extraLength: extra.length }),
      attributes,
      name,
      extra,
    ]),
  };
}

function measure(entry: ZipFields, method: number): { body: Buffer; crc: number; compressed: number; size: number } {
  const content = Buffer.from(entry.content ?? "");
  const body = entry.body ?? (method === 8 ? deflateRawSync(content) : content);
  return { body, crc: entry.crc ?? crc32(content), compressed: body.length, size: entry.size ?? content.length };
}

interface Common {
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  readonly extraLength?: number;
}

/** From "version needed" to the lengths, which both headers have. */
function common(name: Buffer, { method, flags, crc, compressed, size, extraLength = 0 }: Common): Buffer {
  const bytes = Buffer.alloc(26);
  bytes.writeUInt16LE(20, 0);
  bytes.writeUInt16LE(flags, 2);
  bytes.writeUInt16LE(method, 4);
  numbers([crc, compressed, size]).copy(bytes, 10);
  bytes.writeUInt16LE(name.length, 22);
  bytes.writeUInt16LE(extraLength, 24);
  return bytes;
}

function zip64Extra(size: number, compressed: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(16, 2);
  bytes.writeBigUInt64LE(BigInt(size), 4);
  bytes.writeBigUInt64LE(BigInt(compressed), 12);
  return bytes;
}

function endOfDirectory(entries: number, size: number, offset: number): Buffer {
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32LE(0x06054b50, 0);
  bytes.writeUInt16LE(entries, 8);
  bytes.writeUInt16LE(entries, 10);
  bytes.writeUInt32LE(size, 12);
  bytes.writeUInt32LE(offset, 16);
  return bytes;
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
}
