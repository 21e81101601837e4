import { decompress, type Compression } from "./decompress.ts";
import { blockBytes } from "./header.ts";
import { isZero, looksLikeHeader, saysTar } from "./parse-header.ts";

/** What the bytes of a layer are, whatever its media type says. */
export type Content =
  | { readonly archive: "tar"; readonly compression: Compression }
  | { readonly archive: "zip" }
  /** `begins`: what its first bytes promise and do not keep. */
  | { readonly archive: "none"; readonly begins: "gzip" | "zstd" | "tar" | undefined };

/** Enough to see the first block of a tar through any compression: one zstd block is at most 128 KiB. */
export const headBytes = 160 * 1024;

/** Damaged data is fed byte by byte, and no more of it than this. */
const slowBytes = 4096;

const zipEntryMagic = 0x04034b50;
const emptyZipMagic = 0x06054b50;
const zstdMagic = 0xfd2fb528;
const zstdSkippableMagic = 0x184d2a50;
/** A tar without entries is zeros: two blocks, or a record of twenty. Other files that begin with zeros, such as disk images, go on. */
const emptyTarBytes = 20 * blockBytes;

/**
 * Tells what content is from its first bytes: `headBytes` of them, or all there are.
 * Compressed data that holds no tar is not an archive.
 */
export async function sniff(head: Buffer): Promise<Content> {
  const magic = head.length >= 4 ? head.readUInt32LE(0) : 0;
  if (magic === zipEntryMagic || magic === emptyZipMagic) return { archive: "zip" };
  const compression = compressionOf(head);
  let bytes = await firstBytes(compression, [head]);
  // Damaged data gives nothing at all when its damage comes with it.
  if (bytes.length === 0) bytes = await firstBytes(compression, bytewise(head.subarray(0, slowBytes)));
  if (isTar(bytes)) return { archive: "tar", compression };
  const begins = saysTar(bytes) ? "tar" : compression === "none" ? undefined : compression;
  return { archive: "none", begins };
}

/** gzip (RFC 1952), zstd and its skippable frames (RFC 8878). */
export function compressionOf(head: Buffer): Compression {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return "gzip";
  if (head.length < 4) return "none";
  const magic = head.readUInt32LE(0);
  return magic === zstdMagic || (magic & 0xfffffff0) >>> 0 === zstdSkippableMagic ? "zstd" : "none";
}

function* bytewise(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}

function isTar(bytes: Buffer): boolean {
  return looksLikeHeader(bytes) || isEmptyTar(bytes);
}

function isEmptyTar(bytes: Buffer): boolean {
  return (
    bytes.length >= 2 * blockBytes &&
    bytes.length <= emptyTarBytes &&
    bytes.length % blockBytes === 0 &&
    isZero(bytes, 0, bytes.length)
  );
}

/** What the content begins with behind the compression: enough to tell, or less where there is less. */
async function firstBytes(compression: Compression, head: Iterable<Buffer>): Promise<Buffer> {
  const wanted = emptyTarBytes + 1;
  const pieces: Buffer[] = [];
  let length = 0;
  const enough = new Error("enough");
  await decompress(
    compression,
    (async function* () {
      yield* head;
    })(),
    (chunk) => {
      pieces.push(chunk.subarray(0, wanted - length));
      length += pieces.at(-1)!.length;
      if (length >= wanted) throw enough;
      return undefined;
    },
  ).catch(() => undefined);
  return Buffer.concat(pieces);
}
