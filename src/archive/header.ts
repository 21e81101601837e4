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

export type Field = readonly [offset: number, length: number];

/** Offset and length of the fields that are both written and read (POSIX ustar). */
export const MODE: Field = [100, 8];
export const SIZE: Field = [124, 12];
export const CHECKSUM: Field = [148, 8];
export const TYPEFLAG_AT = 156;
export const MAGIC_AT = 257;
export const PREFIX_AT = 345;
const DEVICES_AT = 329;
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
  const meta = Buffer.from(
    ustarBlock({ name: "PaxHeader", prefix: "", mode: FILE_MODE, typeflag: "x", size: body.length }),
  );
  const block = ustarBlock({
    ...(split ?? { name: asciiStub(path), prefix: "" }),
    mode,
    typeflag,
    size: size > MAX_OCTAL_SIZE ? 0 : size,
  });
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

/** A header of nothing: every number is zero. */
const emptyHeader = Buffer.alloc(BLOCK);
emptyHeader.write(`${"0000000\0".repeat(3)}${"00000000000\0".repeat(2)}000000\0 `, MODE[0], "latin1");
emptyHeader.write("ustar\u000000", MAGIC_AT, "latin1");
emptyHeader.write("0000000\0".repeat(2), DEVICES_AT, "latin1");
const scratch = Buffer.alloc(BLOCK);

function ustarBlock({ name, prefix, mode, typeflag, size }: UstarFields): Buffer {
  scratch.set(emptyHeader);
  scratch.write(name, 0, "latin1");
  scratch.write(prefix, PREFIX_AT, "latin1");
  scratch.write(typeflag, TYPEFLAG_AT, "latin1");
  writeOctal(mode, MODE[0] + 7);
  writeOctal(size, SIZE[0] + 11);
  writeOctal(checksumOf(scratch, 0), CHECKSUM[0] + 6);
  return scratch;
}

/** Writes the digits, which end before `end`, over zeros. */
function writeOctal(value: number, end: number): void {
  for (let at = end - 1, left = value; left > 0; at--, left = Math.floor(left / 8)) scratch[at] = ZERO + (left % 8);
}

/** The sum of all bytes of the header at `at`, those of the checksum counting as spaces. */
export function checksumOf(block: Buffer, at: number): number {
  let sum = CHECKSUM[1] * 0x20;
  for (let i = at; i < at + CHECKSUM[0]; i++) sum += block[i]!;
  for (let i = at + CHECKSUM[0] + CHECKSUM[1]; i < at + BLOCK; i++) sum += block[i]!;
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
  return path
    .replace(/[^\x20-\x7e]/g, "_")
    .slice(-100)
    .replace(/^\/+/, "");
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(key) + Buffer.byteLength(value) + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
