import { isAscii, isUtf8 } from "node:buffer";
import { CodedError } from "../errors.ts";
import {
  blockBytes,
  checksumField,
  checksumOf,
  magicAt,
  modeField,
  prefixAt,
  sizeField,
  typeflagAt,
  type Field,
} from "./header.ts";

/** The fields of one tar header that decide what an entry is. */
export interface RawHeader {
  readonly typeflag: string;
  readonly name: string;
  readonly link: string;
  readonly mode: number;
  readonly size: number;
  /** Why a strict reader could see another entry than a lenient one; undefined for a plain ustar header. */
  readonly oddity: string | undefined;
}

const permissionBits = 0o777;

/** Offset and length of numbers that are read but never used (POSIX ustar). */
const uidField = [108, 8] as const;
const gidField = [116, 8] as const;
const mtimeField = [136, 12] as const;
const devmajorField = [329, 8] as const;
const devminorField = [337, 8] as const;
const unusedFields = [uidField, gidField, mtimeField] as const;
const ustarUnused = [...unusedFields, devmajorField, devminorField] as const;

const ustarMagic = Buffer.from("ustar\0");
const ustarVersion = Buffer.from("00");
const starMagic = Buffer.from("tar\0");
/** GNU's own header, where times lie in the place of the prefix. */
const gnuMagic = Buffer.from("ustar  \0");
const gnuTimes = [
  [345, 12],
  [357, 12],
] as const;

/**
 * Reads the header at `at`: ustar, GNU, star or v7.
 * @throws ArchiveInvalid for a wrong checksum or an unreadable number
 */
export function parseHeader(block: Buffer, at: number): RawHeader {
  const notes = new Oddities();
  if (!checksumMatches(block, at)) throw invalid("a tar header has a wrong checksum");
  // The version decides nothing for other readers either; without the prefix the name would be another one.
  const isUstar = hasBytes(block, at + magicAt, ustarMagic);
  if (!isUstar || !hasBytes(block, at + magicAt + ustarMagic.length, ustarVersion)) notes.add("a header is not ustar");
  const mode = numeric(block, at, modeField, notes);
  // Go takes the file type from such bits, whatever the type flag says.
  if (mode > permissionBits) notes.add("a mode has more than permission bits");
  const size = numeric(block, at, sizeField, notes);
  for (const field of isUstar ? ustarUnused : unusedFields) unused(block, at, field, notes);
  if (hasBytes(block, at + magicAt, gnuMagic)) checkGnuTimes(block, at);
  const name = text(block, at, 100, notes);
  const prefix = isUstar ? text(block, at + prefixAt, prefixLength(block, at, notes), notes) : "";
  return {
    typeflag: String.fromCharCode(block[at + typeflagAt]!),
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: text(block, at + 157, 100, notes),
    mode,
    size,
    oddity: notes.first,
  };
}

/** Whether a block could be the first of a tar: a header with a good checksum. */
export function looksLikeHeader(block: Buffer): boolean {
  return block.length >= blockBytes && block[0] !== 0 && checksumMatches(block, 0);
}

/** Whether a block says of itself that it is a tar header, whatever else is wrong with it. */
export function saysTar(block: Buffer): boolean {
  return block.length >= blockBytes && hasBytes(block, magicAt, ustarMagic.subarray(0, 5));
}

function hasBytes(block: Buffer, at: number, bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (block[at + i] !== bytes[i]) return false;
  return true;
}

/** Whether every byte of `[start, end)` is zero. */
export function isZero(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] !== 0) return false;
  return true;
}

/** A longer name is refused anyway. */
const maxOddNameBytes = 64 * 1024;
/** A byte that is not UTF-8 becomes the lone surrogate with this and its value, which no UTF-8 text has. */
const oddByte = 0xdc00;

/**
 * UTF-8 text. What is none, and so means something else to each reader, can be told apart and ignored, but never be
 * published: see `unpublishable`.
 * @throws ArchiveInvalid where that would be immense
 */
export function decodeName(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString("latin1");
  if (isUtf8(bytes)) return bytes.toString("utf8");
  if (bytes.length > maxOddNameBytes) throw invalid("an entry has an immense name that is not UTF-8");
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at]!);
    const sequence = bytes.subarray(at, at + length);
    const isWhole = sequence.length === length && isUtf8(sequence);
    pieces.push(isWhole ? sequence.toString("utf8") : String.fromCharCode(oddByte + bytes[at]!));
    at += isWhole ? length : 1;
  }
  return pieces.join("");
}

/** How many bytes a character has that begins with this one (RFC 3629). */
function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

class Oddities {
  first: string | undefined;
  add(note: string): void {
    this.first ??= note;
  }
}

/** star keeps times in the last bytes of the prefix and says so at the end of the block. */
function prefixLength(block: Buffer, at: number, notes: Oddities): number {
  if (hasBytes(block, at + 508, starMagic)) {
    notes.add("a header is of star's kind");
    return 131;
  }
  if (!isZero(block, at + 500, at + 512)) notes.add("a header has bytes after its last field");
  return 155;
}

/** Some old writers took the bytes for signed ones. */
function checksumMatches(block: Buffer, at: number): boolean {
  const stated = octal(block, at + checksumField[0], checksumField[1]);
  const sum = checksumOf(block, at);
  return stated === sum || stated === sum - 256 * countNegative(block, at);
}

/** How many bytes are negative where they count as signed ones; the checksum's, which are digits, are none. */
function countNegative(block: Buffer, at: number): number {
  let count = 0;
  for (let i = at; i < at + blockBytes; i++) if (block[i]! >= 128) count += 1;
  return count;
}

/** @throws ArchiveInvalid */
function numeric(block: Buffer, at: number, [offset, length]: Field, notes: Oddities): number {
  const start = at + offset;
  if (block[start]! >= 0x80) {
    notes.add("a number is written in base 256");
    const value = base256(block, start, length);
    if (value === undefined) throw invalid("a tar header has a negative or immense number");
    return value;
  }
  const value = octal(block, start, length);
  if (value === undefined) throw invalid("a tar header has a malformed number");
  if (!isPlainOctal(block, start, length)) notes.add("a number is written unusually");
  return value;
}

/** A number that only a reader who restores owners and times cares about: a time before 1970 is no reason to refuse a file. */
function unused(block: Buffer, at: number, [offset, length]: Field, notes: Oddities): void {
  if (!isPlainOctal(block, at + offset, length)) notes.add("a number is written unusually");
}

/** Go takes text there for a prefix of the name, as its own writer once put it; every other reader passes over it. */
function checkGnuTimes(block: Buffer, at: number): void {
  for (const [offset, length] of gnuTimes) {
    const first = block[at + offset]!;
    if (first !== 0 && first < 0x80 && octal(block, at + offset, length) === undefined)
      throw invalid("a GNU header has text where its times belong, which some readers take for a part of the name");
  }
}

/** GNU's binary numbers: the top bit of the first byte marks them, the next one is the sign. */
function base256(block: Buffer, start: number, length: number): number | undefined {
  let value = block[start]! & 0x7f;
  const isNegative = (value & 0x40) !== 0;
  for (let i = 1; i < length; i++) value = value * 256 + block[start + i]!;
  return isNegative || !Number.isSafeInteger(value) ? undefined : value;
}

function octal(block: Buffer, start: number, length: number): number | undefined {
  let i = start;
  const end = start + length;
  while (i < end && isBlank(block[i]!)) i++;
  let value = 0;
  for (; i < end && block[i]! >= 0x30 && block[i]! <= 0x37; i++) value = value * 8 + block[i]! - 0x30;
  for (let j = i; j < end; j++) if (!isBlank(block[j]!)) return undefined;
  return value;
}

/** Digits first, then nothing but NUL and space: what every reader reads alike. */
function isPlainOctal(block: Buffer, start: number, length: number): boolean {
  const end = start + length;
  let i = start;
  while (i < end && block[i]! >= 0x30 && block[i]! <= 0x37) i++;
  while (i < end && isBlank(block[i]!)) i++;
  return i === end;
}

function isBlank(byte: number): boolean {
  return byte === 0 || byte === 0x20;
}

/** A NUL-terminated field. */
function text(block: Buffer, start: number, length: number, notes: Oddities): string {
  let end = start;
  const limit = start + length;
  let isPlain = true;
  for (; end < limit && block[end] !== 0; end++) isPlain &&= block[end]! < 0x80;
  if (end < limit && !isZero(block, end, limit)) notes.add("a name has bytes after its end");
  return isPlain ? block.toString("latin1", start, end) : decodeName(block.subarray(start, end));
}

function invalid(message: string): CodedError {
  return new CodedError("ArchiveInvalid", message);
}
