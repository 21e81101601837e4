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

export interface CanonicalHeader {
  readonly path: string;
  readonly kind: "file" | "dir";
  readonly executable: boolean;
  readonly size: number;
}

/** The header of one entry: one block, or three and more where a PAX record must carry its path or size. */
export function encodeHeader(header: CanonicalHeader): Buffer {
  const { path, kind, executable, size } = header;
  const mode = kind === "dir" ? DIRECTORY_MODE : executable ? EXECUTABLE_MODE : FILE_MODE;
  const typeflag = kind === "dir" ? "5" : "0";
  const split = splitName(path);
  const records: [string, string][] = [];
  if (split === undefined) records.push(["path", path]);
  if (size > MAX_OCTAL_SIZE) records.push(["size", String(size)]);
  const [prefix, name] = split ?? ["", asciiStub(path)];
  const block = ustarBlock({ name, prefix, mode, typeflag, size: size > MAX_OCTAL_SIZE ? 0 : size });
  if (records.length === 0) return block;
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""));
  const meta = ustarBlock({ name: "PaxHeader", prefix: "", mode: FILE_MODE, typeflag: "x", size: body.length });
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

function ustarBlock({ name, prefix, mode, typeflag, size }: UstarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, "latin1");
  block.write(`${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0        ${typeflag}`, 100, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  block.write(`${octal(0, 7)}\0${octal(0, 7)}\0${prefix}`, 329, "latin1");
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += block[i]!;
  block.write(`${octal(sum, 6)}\0 `, 148, "latin1");
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** `[prefix, name]` as ustar splits a path, or undefined for a path that only a PAX record can carry. */
function splitName(path: string): [string, string] | undefined {
  // oxlint-disable-next-line no-control-regex -- everything but ASCII needs a PAX record
  if (!/^[\x01-\x7f]*$/.test(path)) return undefined;
  if (path.length <= 100) return ["", path];
  const slash = path.lastIndexOf("/", 155);
  if (slash <= 0 || path.length - slash - 1 > 100 || path.length - slash - 1 === 0) return undefined;
  return [path.slice(0, slash), path.slice(slash + 1)];
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
