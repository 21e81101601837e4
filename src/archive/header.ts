/**
 * Headers of the canonical tar (POSIX ustar, IEEE Std 1003.1, "pax"): owner, times and names of users are zero, modes are
 * 0644 or 0755. The layout of the fields is that of Go's archive/tar, so that what the Flux CLI pushed is mostly canonical already.
 */
export const BLOCK = 512;

const FILE_MODE = 0o644;
const EXECUTABLE_MODE = 0o755;
const DIRECTORY_MODE = 0o755;
/** The largest size that eleven octal digits can state. */
const MAX_OCTAL_SIZE = 0o77777777777;

/** Where the fields begin that are not always zero; the name is the first. */
const MODE_AT = 100;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const TYPEFLAG_AT = 156;
const PREFIX_AT = 345;
const ZERO = 0x30;

export interface CanonicalHeader {
  readonly path: string;
  readonly kind: "file" | "dir";
  readonly executable: boolean;
  readonly size: number;
}

/**
 * The header of one entry: one block, or three and more where a PAX record must carry its path or size.
 * Valid until the next call: an archive has as many of them as files.
 */
export function encodeHeader(header: CanonicalHeader): Buffer {
  const { path, kind, executable, size } = header;
  const mode = kind === "dir" ? DIRECTORY_MODE : executable ? EXECUTABLE_MODE : FILE_MODE;
  const typeflag = kind === "dir" ? "5" : "0";
  const split = splitName(path);
  if (split !== undefined && size <= MAX_OCTAL_SIZE) return ustarBlock({ ...split, mode, typeflag, size });
  const records: [string, string][] = [];
  if (split === undefined) records.push(["path", path]);
  if (size > MAX_OCTAL_SIZE) records.push(["size", String(size)]);
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""));
  const meta = Buffer.from(ustarBlock({ name: "PaxHeader", prefix: "", mode: FILE_MODE, typeflag: "x", size: body.length }));
  const block = ustarBlock({ ...(split ?? { name: asciiStub(path), prefix: "" }), mode, typeflag, size: size > MAX_OCTAL_SIZE ? 0 : size });
  return Buffer.concat([meta, body, Buffer.alloc(paddingOf(body.length)), block]);
}

/** Zero bytes that follow a body of `size` bytes. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

interface UstarFields {
  readonly name: string;
  readonly prefix: string;
  readonly mode: number;
  readonly typeflag: string;
  readonly size: number;
}

/** A header of nothing: every number is zero, and the checksum blank, as it counts in its own sum. */
const emptyHeader = Buffer.alloc(BLOCK);
emptyHeader.write(`0000000\0${"0000000\0".repeat(2)}${"00000000000\0".repeat(2)}        `, MODE_AT, "latin1");
emptyHeader.write("ustar\u000000", 257, "latin1");
emptyHeader.write("0000000\0".repeat(2), 329, "latin1");
const emptySum = emptyHeader.reduce((sum, byte) => sum + byte, 0);
const scratch = Buffer.alloc(BLOCK);

function ustarBlock({ name, prefix, mode, typeflag, size }: UstarFields): Buffer {
  scratch.set(emptyHeader);
  const type = typeflag.charCodeAt(0);
  scratch[TYPEFLAG_AT] = type;
  const sum = emptySum + type + writeAscii(name, 0) + writeAscii(prefix, PREFIX_AT) + writeOctal(mode, MODE_AT + 7) + writeOctal(size, SIZE_AT + 11);
  scratch.fill(ZERO, CHECKSUM_AT, CHECKSUM_AT + 6);
  writeOctal(sum, CHECKSUM_AT + 6);
  scratch[CHECKSUM_AT + 6] = 0;
  return scratch;
}

/** Returns the sum of the bytes. */
function writeAscii(text: string, at: number): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i);
    scratch[at + i] = byte;
    sum += byte;
  }
  return sum;
}

/** Writes the digits, which end before `end`, over zeros; returns what they add to the sum of the bytes. */
function writeOctal(value: number, end: number): number {
  let sum = 0;
  for (let at = end - 1, left = value; left > 0; at--, left = Math.floor(left / 8)) {
    scratch[at] = ZERO + (left % 8);
    sum += left % 8;
  }
  return sum;
}

/** As ustar splits a path, or undefined for a path that only a PAX record can carry. */
function splitName(path: string): { name: string; prefix: string } | undefined {
  // oxlint-disable-next-line no-control-regex -- everything but ASCII needs a PAX record
  if (!/^[\x01-\x7f]*$/.test(path)) return undefined;
  if (path.length <= 100) return { name: path, prefix: "" };
  const slash = path.lastIndexOf("/", 155);
  if (slash <= 0 || path.length - slash - 1 > 100 || path.length - slash - 1 === 0) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

/** What a reader without PAX shows in place of the path. */
function asciiStub(path: string): string {
  return path.replace(/[^\x20-\x7e]/g, "_").slice(-100).replace(/^\/+/, "");
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(key) + Buffer.byteLength(value) + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
