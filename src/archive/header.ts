/**
 * Headers of the canonical tar (POSIX ustar, IEEE Std 1003.1, "pax"): owner, times and names of users are zero, modes are
 * 0644 or 0755. The layout of the fields is that of Go's archive/tar, so that what the Flux CLI pushed is mostly canonical already.
 */
export const blockBytes = 512;

const fileMode = 0o644;
const executableMode = 0o755;
const directoryMode = 0o755;
/** The largest size that eleven octal digits can state. */
const maxOctalSize = 0o77777777777;

export type Field = readonly [offset: number, length: number];

/** Offset and length of the fields that are both written and read (POSIX ustar). */
export const modeField: Field = [100, 8];
export const sizeField: Field = [124, 12];
export const checksumField: Field = [148, 8];
export const typeflagAt = 156;
export const magicAt = 257;
export const prefixAt = 345;
const devicesAt = 329;
const zeroDigit = 0x30;

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
  const mode = kind === "dir" ? directoryMode : executable ? executableMode : fileMode;
  const typeflag = kind === "dir" ? "5" : "0";
  const split = splitName(path);
  if (split !== undefined && size <= maxOctalSize) return ustarBlock({ ...split, mode, typeflag, size });
  const records: [string, string][] = [];
  if (split === undefined) records.push(["path", path]);
  if (size > maxOctalSize) records.push(["size", String(size)]);
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""));
  const meta = Buffer.from(
    ustarBlock({ name: "PaxHeader", prefix: "", mode: fileMode, typeflag: "x", size: body.length }),
  );
  const block = ustarBlock({
    ...(split ?? { name: asciiStub(path), prefix: "" }),
    mode,
    typeflag,
    size: size > maxOctalSize ? 0 : size,
  });
  return Buffer.concat([meta, body, Buffer.alloc(paddingOf(body.length)), block]);
}

/** Zero bytes that follow a body of `size` bytes. */
export function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

interface UstarFields {
  readonly name: string;
  readonly prefix: string;
  readonly mode: number;
  readonly typeflag: string;
  readonly size: number;
}

/** A header of nothing: every number is zero. */
const emptyHeader = Buffer.alloc(blockBytes);
emptyHeader.write(`${"0000000\0".repeat(3)}${"00000000000\0".repeat(2)}000000\0 `, modeField[0], "latin1");
emptyHeader.write("ustar\u000000", magicAt, "latin1");
emptyHeader.write("0000000\0".repeat(2), devicesAt, "latin1");
const scratch = Buffer.alloc(blockBytes);

function ustarBlock({ name, prefix, mode, typeflag, size }: UstarFields): Buffer {
  scratch.set(emptyHeader);
  scratch.write(name, 0, "latin1");
  scratch.write(prefix, prefixAt, "latin1");
  scratch.write(typeflag, typeflagAt, "latin1");
  writeOctal(mode, modeField[0] + 7);
  writeOctal(size, sizeField[0] + 11);
  writeOctal(checksumOf(scratch, 0), checksumField[0] + 6);
  return scratch;
}

/** Writes the digits, which end before `end`, over zeros. */
function writeOctal(value: number, end: number): void {
  for (let at = end - 1, left = value; left > 0; at--, left = Math.floor(left / 8))
    scratch[at] = zeroDigit + (left % 8);
}

/** The sum of all bytes of the header at `at`, those of the checksum counting as spaces. */
export function checksumOf(block: Buffer, at: number): number {
  let sum = checksumField[1] * 0x20;
  for (let i = at; i < at + checksumField[0]; i++) sum += block[i]!;
  for (let i = at + checksumField[0] + checksumField[1]; i < at + blockBytes; i++) sum += block[i]!;
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
