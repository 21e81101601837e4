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

const VALUE_BYTES = 32;
const LINE = "  key-00000: ".length + 2 * VALUE_BYTES + 1;

/** ConfigMaps whose values are random hexadecimal: gzip leaves about half of it, as of real manifests with data in them. */
export function* yamlFiles(spec: TreeSpec): Generator<TreeFile> {
  const key = createHash("sha256").update(spec.seed).digest().subarray(0, 16);
  const random = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  for (let n = 0; n < spec.files; n += 1) {
    const name = `config-${String(n).padStart(6, "0")}`;
    const head = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  namespace: bench\ndata:\n`;
    const lines = Math.floor((spec.fileBytes - head.length) / LINE);
    const values = random.update(Buffer.alloc(lines * VALUE_BYTES)).toString("hex");
    const text = [head];
    for (let i = 0; i < lines; i += 1) text.push(`  key-${String(i).padStart(5, "0")}: ${values.slice(i * 2 * VALUE_BYTES, (i + 1) * 2 * VALUE_BYTES)}\n`);
    const rest = spec.fileBytes - head.length - lines * LINE;
    if (rest > 0) text.push(`${"#".repeat(rest - 1)}\n`);
    yield { path: `${spec.directory ?? ""}group-${String(n % 10)}/${name}.yaml`, bytes: Buffer.from(text.join("")) };
  }
}

/** The files as a tar: headers without owner and time, each body padded, two empty blocks at the end. */
export function* tarBlocks(files: Iterable<TreeFile>): Generator<Buffer> {
  for (const { path, bytes } of files) {
    const block = Buffer.alloc(512);
    new Header({ path, mode: 0o644, size: bytes.length, type: "File", mtime: new Date(0), uid: 0, gid: 0 }).encode(block);
    yield block;
    yield bytes;
    if (bytes.length % 512 > 0) yield Buffer.alloc(512 - (bytes.length % 512));
  }
  yield Buffer.alloc(1024);
}

/** Compressed at gzip's default level, as the Flux CLI does. */
export function tarball(spec: TreeSpec): Promise<Buffer> {
  const gzip = createGzip({ level: 6, chunkSize: 1 << 18 });
  return buffer(Readable.from(tarBlocks(yamlFiles(spec)), { objectMode: false, highWaterMark: 1 << 20 }).pipe(gzip));
}
