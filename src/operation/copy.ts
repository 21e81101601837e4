import { join } from "node:path";
import { checkPublishable } from "../archive/finish.ts";
import { Tree } from "../archive/tree.ts";
import { writeArchive } from "../archive/write.ts";
import { extensionOf, fileNameOf } from "./file-name.ts";
import { sniffFile, spoolLayer } from "./layer-content.ts";
import { nothingSkipped, type Operation } from "./operation.ts";
import { onlyLayer } from "./only-layer.ts";

/**
 * The layer itself (api.md, "Operations"). A gzip-compressed tar is published byte for byte, which is what helm-controller
 * reads; anything else, or any layer that is given a name, becomes a tar.gz with that one file in it.
 *
 * @throws InvalidTemplate, ArchiveUnsafePath, StorageFailed, what the fetcher throws
 */
export const copy: Operation = async (layers, options, io) => {
  const layer = onlyLayer(layers);
  const spooled = await spoolLayer(layer, 0, io);
  const { content, head } = await sniffFile(spooled.path);
  if (options.filename === undefined && content.archive === "tar" && content.compression === "gzip") {
    // The revision is the layer's own digest: what is published is those bytes and nothing else.
    return { blob: { ...spooled, contentDigest: layer.descriptor.digest, verbatim: true }, skipped: nothingSkipped };
  }
  const tree = new Tree(io.limits.maxEntries);
  const name = fileNameOf(layer, extensionOf(layer.descriptor.mediaType, content, head), options);
  tree.put(name, { kind: "file", executable: false, body: { file: spooled.path, offset: 0, size: spooled.size } });
  checkPublishable(tree);
  const path = join(io.dir, "artifact.tar.gz");
  return { blob: { path, ...(await writeArchive(tree, path, io.signal)), verbatim: false }, skipped: nothingSkipped };
};
