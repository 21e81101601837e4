import { createCipheriv, createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { Header } from "tar";

/** A tree of YAML files; the same seed gives the same bytes on every machine. */
export interface TreeSpec {
  readonly seed: string;
  readonly files: number;
  /** Each file has exactly this many bytes, at least 200. */
  readonly fileBytes: number;
  /** Put before every path, such as `layer-1/`. */
  readonly directory?: string;
}

interface TreeFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/** What keys and values are made of. */
const words =
  "annotations api app args backend backup batch cache capacity claim class cluster command component config container controller cpu cron data database default deploy domain enabled endpoint env events external false frontend gateway group health host image ingress instance interval job key labels limit log manager memory metrics mode monitor name namespace network node owner path policy pool port priority probe protocol proxy queue ready region release replicas request resource restart role rollout route rule scale secret selector server service session size source spec status storage strategy system target team template tier timeout token true type update user value version volume webhook weight worker zone".split(
    " ",
  );
const groupCount = 10;
const wordsPerLine = 4;
const randomBytes = 21;

/**
 * ConfigMaps with lines of words and a random value in base64. Gzip leaves half of it and has to search for it, as in
 * manifests that carry certificates, digests and sealed secrets.
 */
export function* yamlFiles(spec: TreeSpec): Generator<TreeFile> {
  const key = createHash("sha256").update(spec.seed).digest().subarray(0, 16);
  const random = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  for (let n = 0; n < spec.files; n += 1) {
    const name = `config-${String(n).padStart(6, "0")}`;
    const head = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  namespace: bench\ndata:\n`;
    // Sorted by path, as the Flux CLI walks a directory.
    const group = String(Math.floor((n * groupCount) / spec.files));
    const text = filled(head, spec.fileBytes, random.update(Buffer.alloc(spec.fileBytes)));
    yield { path: `${spec.directory ?? ""}group-${group}/${name}.yaml`, bytes: Buffer.from(text) };
  }
}

/** `head`, lines made of `random`, and a comment up to exactly `size`. Each line is longer than the random bytes it takes. */
function filled(head: string, size: number, random: Buffer): string {
  let text = head;
  for (let i = 0; ; i += 1) {
    const at = i * (wordsPerLine + randomBytes);
    const value = at + wordsPerLine;
    const key = `${word(random, at)}-${word(random, at + 1)}-${word(random, at + 2)}-${word(random, at + 3)}-${i}`;
    const line = `  ${key}: ${random.toString("base64", value, value + randomBytes)}\n`;
    if (text.length + line.length > size) break;
    text += line;
  }
  return text.length < size ? `${text}${"#".repeat(size - text.length - 1)}\n` : text;
}

function word(random: Buffer, at: number): string {
  return words[random[at]! % words.length]!;
}

/**
 * The files as the Flux CLI packs them: each directory before what it holds, headers without owner and time, every body
 * padded, two empty blocks at the end.
 */
export function* tarBlocks(files: Iterable<TreeFile>): Generator<Buffer> {
  const directories = new Set<string>();
  yield headerOf(".", undefined);
  for (const { path, bytes } of files) {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      const directory = path.slice(0, at);
      if (!directories.has(directory)) yield headerOf(directory, undefined);
      directories.add(directory);
    }
    yield headerOf(path, bytes.length);
    yield bytes;
    if (bytes.length % 512 > 0) yield Buffer.alloc(512 - (bytes.length % 512));
  }
  yield Buffer.alloc(1024);
}

/** Without a size, that of a directory. */
function headerOf(path: string, size: number | undefined): Buffer {
  const block = Buffer.alloc(512);
  const type = size === undefined ? "Directory" : "File";
  new Header({
    path,
    mode: size === undefined ? 0o755 : 0o644,
    size: size ?? 0,
    type,
    mtime: new Date(0),
    uid: 0,
    gid: 0,
  }).encode(block);
  return block;
}

/** Compressed at gzip's default level, as the Flux CLI does. */
export function tarball(spec: TreeSpec): Promise<Buffer> {
  const gzip = createGzip({ level: 6, chunkSize: 1 << 18 });
  return buffer(Readable.from(tarBlocks(yamlFiles(spec)), { objectMode: false, highWaterMark: 1 << 20 }).pipe(gzip));
}
