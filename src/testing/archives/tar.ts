/** Builds tars byte by byte for tests, also such as no sane program would write. */
const blockBytes = 512;

/** A field as text or bytes is written as it is; a number in octal digits and a NUL. */
type Field = number | string | Buffer;

export interface TarFields {
  readonly name: string | Buffer;
  /** Body; its length is the size unless `size` says otherwise. */
  readonly content?: string | Buffer;
  /** Type flag: "0" file, "5" directory, "1" hard link, "2" symlink, … */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: Field;
  readonly uid?: Field;
  readonly gid?: Field;
  /** What the header states. */
  readonly size?: Field;
  readonly mtime?: Field;
  readonly devmajor?: Field;
  readonly prefix?: string;
  /** Magic and version, 8 bytes. */
  readonly magic?: string;
  /** The last 12 bytes of the block. */
  readonly trailer?: string;
  readonly checksum?: Field;
}

/** Offset and length of each field (POSIX ustar). */
const layout = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  devmajor: [329, 8],
  prefix: [345, 155],
  trailer: [500, 12],
} as const satisfies Partial<Record<keyof TarFields, readonly [number, number]>>;

/** One header block. */
export function tarHeader(fields: TarFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const size = Buffer.byteLength(fields.content ?? "");
  const all: TarFields = { mode: 0o644, uid: 0, gid: 0, size, mtime: 0, type: "0", magic: "ustar\u000000", ...fields };
  for (const field of Object.keys(layout) as (keyof typeof layout)[]) put(block, layout[field], all[field] ?? "");
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(block, [148, 8], fields.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** A header, its body and the padding. */
export function tarEntry(fields: TarFields): Buffer {
  return Buffer.concat([tarHeader(fields), padded(Buffer.from(fields.content ?? ""))]);
}

/** An extended header; records in the order given. */
export function paxEntry(records: readonly (readonly [key: string, value: string])[], type: "x" | "g" = "x"): Buffer {
  return tarEntry({ name: "PaxHeader", type, content: records.map(([key, value]) => paxRecord(key, value)).join("") });
}

/** `<length> <key>=<value>\n` */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length)
    length = String(length).length + Buffer.byteLength(rest);
  return `${length}${rest}`;
}

/** GNU's way to carry a long name ("L") or link target ("K"). */
export function gnuLong(type: "L" | "K", name: string): Buffer {
  return tarEntry({ name: "././@LongLink", type, magic: "ustar  \0", content: `${name}\0` });
}

/** A whole tar: blocks as they are, fields as entries, then the end. */
export function tarOf(...parts: readonly (TarFields | Buffer)[]): Buffer {
  return Buffer.concat([
    ...parts.map((part) => (Buffer.isBuffer(part) ? part : tarEntry(part))),
    Buffer.alloc(2 * blockBytes),
  ]);
}

/** A number as GNU writes those that octal digits cannot hold. */
export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(8 * length, value);
  for (let i = length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  bytes[0]! |= 0x80;
  return bytes;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)]);
}

function put(block: Buffer, [at, length]: readonly [number, number], field: Field): void {
  const bytes =
    typeof field === "number"
      ? Buffer.from(`${field.toString(8).padStart(length - 1, "0")}\0`)
      : Buffer.from(field as string);
  if (bytes.length > length) throw new Error(`${bytes.length} bytes do not fit into a field of ${length}`);
  bytes.copy(block, at);
}
