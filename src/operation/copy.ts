import { join } from "node:path";
import { checkPublishable } from "../archive/finish.ts";
import { Tree } from "../archive/tree.ts";
import { writeArchive } from "../archive/write.ts";
import { extensionOf, fileNameOf } from "./file-name.ts";
import type { Content } from "../archive/sniff.ts";
import type { Layer } from "../oci/types.ts";
import { sniffFile, spoolLayer, type SpooledLayer } from "./layer-content.ts";
import {
  nothingSkipped,
  type Operation,
  type OperationIO,
  type OperationOptions,
  type OperationResult,
} from "./operation.ts";
import { onlyLayer } from "./only-layer.ts";

/**
 * The layer itself (api.md, "Operations"). A gzip-compressed tar is published byte for byte, which is what helm-controller
 * reads; anything else, or any layer that is given a name, becomes a tar.gz with that one file in it.
 *
 * @throws InvalidTemplate, ArchiveUnsafePath, StorageFailed, what the fetcher throws
 */
export const copy: Operation = async (layers, options, io) => {
  const layer = onlyLayer(layers);
  return await copySpooled(layer, await spoolLayer(layer, 0, io), options, io);
};

/** `copy` of a layer that is on disk already. @throws InvalidTemplate, ArchiveUnsafePath, StorageFailed */
export async function copySpooled(
  layer: Layer,
  spooled: SpooledLayer,
  options: OperationOptions,
  io: OperationIO,
): Promise<OperationResult> {
  const { content, head } = await sniffFile(spooled.path);
  if (options.filename === undefined && content.archive === "tar" && content.compression === "gzip") {
    // The revision is the layer's own digest: what is published is those bytes and nothing else.
    return { blob: { ...spooled, contentDigest: layer.descriptor.digest, verbatim: true }, skipped: nothingSkipped };
  }
  const tree = rawTree(layer, spooled, { content, head, options, io });
  const path = join(io.dir, "artifact.tar.gz");
  return { blob: { path, ...(await writeArchive(tree, path, io.signal)), verbatim: false }, skipped: nothingSkipped };
}

interface RawFile {
  readonly content: Content;
  readonly head: Buffer;
  readonly options: OperationOptions;
  readonly io: OperationIO;
}

/** The layer as the one file that it is. @throws InvalidTemplate, ArchiveUnsafePath */
export function rawTree(layer: Layer, { path, size }: SpooledLayer, { content, head, options, io }: RawFile): Tree {
  const tree = new Tree(io.limits.maxEntries);
  const name = fileNameOf(layer, extensionOf(layer.descriptor.mediaType, content, head), options);
  const executable = options.rules?.isExecutable(layer) === true;
  tree.put(name, { kind: "file", executable, body: { file: path, offset: 0, size } });
  checkPublishable(tree);
  return tree;
}
