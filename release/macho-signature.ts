import { createHash } from "node:crypto";

/*
 * The form of a signature is Apple's, stated in xnu's osfmk/kern/cs_blobs.h: a blob of blobs in big-endian order, of which an
 * ad-hoc signature needs one, the code directory with the SHA-256 of every page.
 */
const superBlobMagic = 0xfade0cc0;
const codeDirectoryMagic = 0xfade0c02;
const superBlobBytes = 20;
const codeDirectoryBytes = 88;
/** The first version that states the executable segment. */
const codeDirectoryVersion = 0x20400;
const adHoc = 0x2;
const sha256Type = 2;
const hashBytes = 32;
const pageBits = 12;
const pageBytes = 2 ** pageBits;
const mainBinary = 1n;

const headerBytes = 32;
const segment64 = 0x19;
const codeSignature = 0x1d;
/** Of the command about the signature, and where that may begin. */
const commandBytes = 16;
const alignment = 16;
/** To which a segment's size in memory is rounded, on arm64. */
const memoryPage = 0x4000n;

interface Commands {
  /** Where in the file the command itself stands. */
  readonly signature: number;
  readonly linkedit: number;
  readonly text: number;
}

/**
 * Signs a thin 64-bit Mach-O file as `codesign -s -` does, in place of the signature that it may have: on Apple's processors
 * nothing runs without one. It vouches for nobody; Gatekeeper wants a notarised one for what a browser has downloaded.
 * @throws Error where the file has no place for a signature at its end
 */
export function signAdHoc(unsigned: Buffer, identifier: string): Buffer {
  const file = withPlace(unsigned);
  const { signature, linkedit, text } = commandsOf(file);
  const limit = file.readUInt32LE(signature + 8);
  const from = file.readBigUInt64LE(linkedit + 40);
  if (BigInt(limit) < from) throw new Error("the signature does not stand in the last segment, __LINKEDIT");
  const pages = Math.ceil(limit / pageBytes);
  const identity = Buffer.from(`${identifier}\0`);
  const size = superBlobBytes + codeDirectoryBytes + identity.length + pages * hashBytes;
  const signed = Buffer.concat([file.subarray(0, limit), Buffer.alloc(size)]);
  signed.writeUInt32LE(size, signature + 12);
  const inFile = BigInt(signed.length) - from;
  signed.writeBigUInt64LE(inFile, linkedit + 48);
  signed.writeBigUInt64LE(((inFile + memoryPage - 1n) / memoryPage) * memoryPage, linkedit + 32);

  const blob = signed.subarray(limit);
  writeWords(blob, 0, [superBlobMagic, size, 1, 0, superBlobBytes]);
  const directory = blob.subarray(superBlobBytes);
  const hashes = codeDirectoryBytes + identity.length;
  writeWords(directory, 0, [codeDirectoryMagic, directory.length, codeDirectoryVersion, adHoc, hashes]);
  writeWords(directory, 20, [codeDirectoryBytes, 0, pages, limit]);
  directory.set([hashBytes, sha256Type, 0, pageBits], 36);
  directory.writeBigUInt64BE(file.readBigUInt64LE(text + 40), 64);
  directory.writeBigUInt64BE(file.readBigUInt64LE(text + 48), 72);
  directory.writeBigUInt64BE(mainBinary, 80);
  identity.copy(directory, codeDirectoryBytes);
  for (let page = 0; page < pages; page++) hashOfPage(signed, page, limit).copy(directory, hashes + page * hashBytes);
  return signed;
}

/** What adds a segment to a file takes the old signature away: the command that says where the new one stands is the last one. */
function withPlace(file: Buffer): Buffer {
  const commands = [...commandsIn(file)];
  if (commands.some(({ kind }) => kind === codeSignature)) return file;
  const end = headerBytes + file.readUInt32LE(20);
  if (!file.subarray(end, end + commandBytes).equals(Buffer.alloc(commandBytes)))
    throw new Error("there is no room after the load commands for one about the signature");
  const padding = Buffer.alloc((alignment - (file.length % alignment)) % alignment);
  const placed = Buffer.concat([file, padding]);
  placed.writeUInt32LE(commands.length + 1, 16);
  placed.writeUInt32LE(end - headerBytes + commandBytes, 20);
  [codeSignature, commandBytes, placed.length, 0].forEach((word, at) => placed.writeUInt32LE(word, end + 4 * at));
  return placed;
}

function hashOfPage(file: Buffer, page: number, limit: number): Buffer {
  const bytes = file.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, limit));
  return createHash("sha256").update(bytes).digest();
}

function writeWords(bytes: Buffer, offset: number, words: readonly number[]): void {
  words.forEach((word, at) => bytes.writeUInt32BE(word, offset + 4 * at));
}

function* commandsIn(file: Buffer): Generator<{ kind: number; at: number }> {
  let at = headerBytes;
  for (let count = file.readUInt32LE(16); count > 0; count--) {
    yield { kind: file.readUInt32LE(at), at };
    at += file.readUInt32LE(at + 4);
  }
}

function commandsOf(file: Buffer): Commands {
  const found = new Map<string, number>();
  for (const { kind, at } of commandsIn(file)) {
    if (kind === codeSignature) found.set("signature", at);
    if (kind === segment64) found.set(file.toString("latin1", at + 8, at + 24).replace(/\0.*$/s, ""), at);
  }
  const place = (name: string): number => {
    const offset = found.get(name);
    if (offset === undefined) throw new Error(`the file has no load command for ${name}`);
    return offset;
  };
  return { signature: place("signature"), linkedit: place("__LINKEDIT"), text: place("__TEXT") };
}
