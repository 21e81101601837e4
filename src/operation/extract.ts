import { join } from "node:path";
import { Budget } from "../archive/budget.ts";
import { applyIgnore, checkPublishable, type IgnoreRequest } from "../archive/finish.ts";
import { ignoreRules } from "../archive/ignore.ts";
import { resolveLinks } from "../archive/links.ts";
import { unpackLayer } from "../archive/unpack.ts";
import { VerbatimScan, type Verdict } from "../archive/verbatim.ts";
import { compressionOf, type Content } from "../archive/sniff.ts";
import type { ReadAhead, ReadCounts } from "../archive/read.ts";
import type { Tree } from "../archive/tree.ts";
import { contentDigestOf, writeArchive } from "../archive/write.ts";
import { contentOf, notAnArchive, unreadable } from "./archive-claim.ts";
import { copySpooled, rawTree } from "./copy.ts";
import { titleOf } from "./file-name.ts";
import type { Digest, Layer } from "../oci/types.ts";
import { layerBytes, readFileChunks, sniffFile, spoolLayer, type SpooledLayer } from "./layer-content.ts";
import {
  nothingSkipped,
  type Operation,
  type OperationIO,
  type OperationOptions,
  type OperationResult,
  type ReadyTree,
  type SymlinkPolicy,
  type TreeOperation,
} from "./operation.ts";
import { onlyLayer } from "./only-layer.ts";

/**
 * The content of one archive (api.md, "Operations"). While it is downloaded it is judged; if nothing needs changing the
 * file itself is the artifact, else it is read again from the scratch file.
 *
 * @throws NotAnArchive for a raw layer; Archive…, InvalidPattern, EmptyResult, StorageFailed, what the fetcher throws
 */
export const extract: Operation = async (layers, options, io) => await extractLayer(onlyLayer(layers), options, io);

async function extractLayer(layer: Layer, options: OperationOptions, io: OperationIO): Promise<OperationResult> {
  const { spooled, verdict } = await judgeLayer(layer, options, io);
  if (verdict?.as === "verbatim") return verbatim(spooled, verdict.contentDigest);
  const { content } = await sniffFile(spooled.path);
  if (content.archive === "none") return await copyRaw(layer, spooled, { content, options, io });
  const unpacked = await unpackOnly(layer, { ...io, ahead: undefined }, readFileChunks(spooled.path));
  const entriesBefore = unpacked.tree.entries.size;
  const ready = await publishable(unpacked, rulesOf(options), io);
  if (verdict?.as === "unordered" && ready.tree.entries.size === entriesBefore)
    return verbatim(spooled, await contentDigestOf(ready.tree, undefined, io.signal));
  return await writeTree(ready, io);
}

/** The content of one archive as files, whatever its bytes are. @throws as `extract` */
export const extractTree: TreeOperation = async (layers, options, io) => {
  const layer = onlyLayer(layers);
  if (options.copiesRaw === true) return await extractOrCopy(layer, options, io);
  const unpacked = await unpackOnly(layer, io, layerBytes(layer, io));
  return await publishable(unpacked, rulesOf(options), io);
};

/** A single file of an unknown layout that nobody has called an archive. @throws NotAnArchive for any other */
async function copyRaw(
  layer: Layer,
  spooled: SpooledLayer,
  { content, options, io }: { readonly content: Content; readonly options: OperationOptions; readonly io: OperationIO },
): Promise<OperationResult> {
  if (options.copiesRaw !== true) throw notAnArchive(layer, content);
  contentOf(layer, content, titleOf(layer));
  return { ...(await copySpooled(layer, spooled, options, io)), operation: "Copy" };
}

async function unpackOnly(
  layer: Layer,
  io: Omit<OperationIO, "ahead"> & { readonly ahead?: ReadAhead | undefined },
  source: AsyncIterable<Buffer>,
): Promise<{ readonly tree: Tree; readonly counts: ReadCounts }> {
  const judge = (found: Content): Content => {
    if (found.archive === "none") throw notAnArchive(layer, found);
    return found;
  };
  const { size } = layer.descriptor;
  const { dir, signal, ahead } = io;
  try {
    const request = { source, size, dir, index: 0, budget: budgetFor(layer, io), signal, judge, ahead };
    const unpacked = await unpackLayer(request);
    if (unpacked.content === "raw") throw notAnArchive(layer, { archive: "none", begins: undefined });
    return unpacked;
  } catch (error) {
    throw unreadable(layer, error);
  }
}

/** What only the first bytes tell is found out on disk. */
async function extractOrCopy(layer: Layer, options: OperationOptions, io: OperationIO): Promise<ReadyTree> {
  const spooled = await spoolLayer(layer, 0, io);
  const { content, head } = await sniffFile(spooled.path);
  if (content.archive === "none") {
    contentOf(layer, content, titleOf(layer));
    return {
      tree: rawTree(layer, spooled, { content, head, options, io }),
      skipped: nothingSkipped,
      operation: "Copy",
    };
  }
  const unpacked = await unpackOnly(layer, { ...io, ahead: undefined }, readFileChunks(spooled.path));
  return await publishable(unpacked, rulesOf(options), io);
}

/** An artifact of Flux's own OCIRepository would lack what Flux leaves out by default. */
function rulesOf({ symlinks, ignore }: OperationOptions): PublishRules {
  return { symlinks, specIgnore: ignore, defaults: "flux" };
}

/** What is left out of every published tree. */
export interface PublishRules extends IgnoreRequest {
  readonly symlinks: SymlinkPolicy;
}

/** Applies what every published tree has in common: no links, ignore rules, names that consumers can unpack. */
export async function publishable(
  unpacked: { readonly tree: Tree; readonly counts: ReadCounts },
  rules: PublishRules,
  io: OperationIO,
): Promise<ReadyTree> {
  const { tree, symlinks } = await resolveLinks(unpacked.tree, rules.symlinks, io.limits, io.signal);
  const leftOut = await applyIgnore(tree, rules, io.signal);
  checkPublishable(tree, leftOut);
  const { special } = unpacked.counts;
  return { tree, skipped: { symlinks, special, ignored: leftOut.files }, leftOut: leftOut.examples };
}

/** Writes what was extracted to `artifact.tar.gz` in the scratch directory. @throws StorageFailed, Aborted */
export async function writeTree({ tree, ...left }: ReadyTree, io: OperationIO): Promise<OperationResult> {
  const path = join(io.dir, "artifact.tar.gz");
  return { blob: { path, ...(await writeArchive(tree, path, io.signal)), verbatim: false }, ...left };
}

/**
 * What a layer may expand to.
 * @param shared bytes that the layers which are extracted together have expanded to so far
 */
export function budgetFor(layer: Layer, io: Pick<OperationIO, "limits">, shared = { expandedBytes: 0 }): Budget {
  return new Budget(io.limits, layer.descriptor.size, shared);
}

/** Entries are judged while they arrive, without a pause; what takes longer is left to the rewrite, which makes pauses. */
const maxScanSteps = 20_000_000;

/** So many bytes tell gzip from anything else. */
const magicBytes = 3;

/** Downloads the layer and, where it begins like gzip, judges it on the way. */
async function judgeLayer(
  layer: Layer,
  options: OperationOptions,
  io: OperationIO,
): Promise<{ spooled: SpooledLayer; verdict: Verdict | undefined }> {
  let scan: VerbatimScan | undefined;
  // A registry may send the first bytes one by one.
  let start: Buffer | undefined = Buffer.alloc(0);
  try {
    const spooled = await spoolLayer(layer, 0, io, async (chunk) => {
      if (start === undefined) return await scan?.write(chunk);
      start = Buffer.concat([start, chunk]);
      if (start.length < magicBytes) return;
      if (compressionOf(start) === "gzip")
        scan = new VerbatimScan(ignoreRules([], options.ignore, { maxSteps: maxScanSteps }), budgetFor(layer, io));
      const head = start;
      start = undefined;
      await scan?.write(head);
    });
    return { spooled, verdict: await scan?.finish() };
  } finally {
    scan?.destroy();
  }
}

function verbatim(spooled: SpooledLayer, contentDigest: Digest): OperationResult {
  return { blob: { ...spooled, contentDigest, verbatim: true }, skipped: nothingSkipped };
}
