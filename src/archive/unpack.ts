import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { stopIfAborted } from "../errors.ts";
import type { Budget } from "./budget.ts";
import { readTar, type ReadAhead, type ReadCounts } from "./read.ts";
import { headBytes, sniff, type Content } from "./sniff.ts";
import { SpoolWriter, storageFailed } from "./spool.ts";
import type { Body, Tree } from "./tree.ts";

export interface UnpackRequest {
  /** The verified bytes of the layer. It is always run to its end or closed. */
  readonly source: AsyncIterable<Buffer>;
  /** How many bytes the source has. */
  readonly size: number;
  /** Scratch directory; only files with numbered names are made in it. */
  readonly dir: string;
  /** Number of the layer, unique within `dir`. */
  readonly index: number;
  readonly budget: Budget;
  readonly signal: AbortSignal;
  /** Has the last word on what the first bytes say; what it throws ends the work. */
  readonly judge?: (found: Content) => Content;
  /** Told of what a tar holds. */
  readonly ahead?: ReadAhead | undefined;
}

/** An archive's tree, or the range of a scratch file that holds a layer which is not an archive. */
export type Unpacked =
  | { readonly content: "tree"; readonly tree: Tree; readonly counts: ReadCounts }
  | { readonly content: "raw"; readonly body: Body };

/**
 * Unpacks a layer into scratch files: tar (plain, gzip, zstd) while it arrives, zip once it is there. The kind is told by the
 * first bytes; whatever is not an archive stays the file it is, unless `judge` refuses it.
 *
 * @throws ArchiveInvalid, ArchiveUnsupported, ArchiveUnsafePath, ArchiveTooLarge, ArchiveRatioExceeded,
 * ArchiveTooManyEntries, StorageFailed, Aborted; whatever the source throws
 */
export async function unpackLayer(request: UnpackRequest): Promise<Unpacked> {
  const { budget, signal, ahead } = request;
  const chunks = request.source[Symbol.asyncIterator]();
  try {
    const head = await readHead(chunks);
    const found = await sniff(head);
    const content = request.judge?.(found) ?? found;
    const source = wholeSource(head, chunks, signal);
    if (content.archive === "tar") {
      return {
        content: "tree",
        ...(await readTar(source, {
          compression: content.compression,
          spoolPath: scratch(request, "tree"),
          budget,
          signal,
          ahead,
        })),
      };
    }
    return content.archive === "zip" ? await unpackZip(source, request) : await keepRaw(source, request);
  } finally {
    await chunks.return?.();
  }
}

/** A zip file is read from its end, so all of it must be there first. */
async function unpackZip(source: AsyncIterable<Buffer>, request: UnpackRequest): Promise<Unpacked> {
  const zipPath = scratch(request, "zip");
  await spoolAll(source, zipPath);
  // Most layers are not zip files: what reads them is loaded for the first.
  const { readZip } = await import("./read-zip.ts");
  const { tree, counts } = await readZip({
    zipPath,
    spoolPath: scratch(request, "tree"),
    budget: request.budget,
    signal: request.signal,
  });
  await unlink(zipPath).catch((error: unknown) => Promise.reject(storageFailed(error)));
  return { content: "tree", tree, counts };
}

async function keepRaw(source: AsyncIterable<Buffer>, request: UnpackRequest): Promise<Unpacked> {
  request.budget.spend(request.size);
  const path = scratch(request, "raw");
  return { content: "raw", body: { file: path, offset: 0, size: await spoolAll(source, path) } };
}

/** Returns how many bytes there were. */
async function spoolAll(source: AsyncIterable<Buffer>, path: string): Promise<number> {
  const spool = await SpoolWriter.create(path);
  try {
    for await (const chunk of source) await spool.write(chunk);
  } catch (error) {
    await spool.abandon();
    throw error;
  }
  await spool.close();
  return spool.size;
}

/** The first `headBytes`, or a little more, or all there are. */
async function readHead(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes < headBytes;) {
    const next = await chunks.next();
    if (next.done === true) break;
    pieces.push(next.value);
    bytes += next.value.length;
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

async function* wholeSource(head: Buffer, chunks: AsyncIterator<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  let chunk = head;
  for (;;) {
    stopIfAborted(signal, "while unpacking a layer");
    yield chunk;
    const next = await chunks.next();
    if (next.done === true) return;
    chunk = next.value;
  }
}

function scratch({ dir, index }: UnpackRequest, kind: "tree" | "zip" | "raw"): string {
  return join(dir, `${kind}-${index}`);
}
