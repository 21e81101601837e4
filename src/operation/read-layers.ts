import { join } from "node:path";
import pLimit from "p-limit";
import { SpoolWriter } from "../archive/spool.ts";
import { Tree, type Body } from "../archive/tree.ts";
import { unpackLayer } from "../archive/unpack.ts";
import { CodedError, messageOf } from "../errors.ts";
import { fetchAll } from "../oci/fetch-all.ts";
import type { Layer } from "../oci/types.ts";
import { contentOf, unreadable } from "./archive-claim.ts";
import { budgetFor } from "./extract.ts";
import { extensionOf, fileNameOf, titleOf } from "./file-name.ts";
import { layerBytes } from "./layer-content.ts";
import type { ConfigFiles, OperationIO, OperationOptions } from "./operation.ts";

/** Layers that are downloaded and unpacked side by side; more would only compete for the thread pool. */
const concurrentLayers = 4;
/** OCI image-spec, layer.md, and Docker's image manifest V2: layers of a file system, which overlay each other. */
const fileSystemLayer = /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)/;

/** A layer with what it holds: an archive's tree, or the one file that it is. */
export interface Part {
  readonly layer: Layer;
  readonly tree: Tree;
  readonly isOverlay: boolean;
}

/** What one layer, or one config, became; `special` counts devices and FIFOs. */
interface Read extends Part {
  readonly special: number;
}

/** @throws what the operation throws; nothing is being written any more then */
export async function readLayers(
  layers: readonly Layer[],
  options: OperationOptions,
  io: OperationIO,
): Promise<{ parts: Part[]; special: number }> {
  const abort = new AbortController();
  const limit = pLimit(concurrentLayers);
  const reader = new Reader(layers, options, { ...io, signal: AbortSignal.any([io.signal, abort.signal]) });
  const reading = [
    ...layers.map((layer, index) => limit(() => reader.layer(layer, index))),
    ...(options.rules?.configs ?? []).map((files, index) => limit(() => reader.config(files, index))),
  ];
  try {
    const parts = await Promise.all(reading);
    return { parts, special: parts.reduce((sum, { special }) => sum + special, 0) };
  } catch (error) {
    // The others are of no use any more. They have to have ended before the directory is somebody else's.
    abort.abort(error);
    await Promise.allSettled(reading);
    throw error;
  }
}

class Reader {
  readonly #options: OperationOptions;
  readonly #names: OperationOptions;
  readonly #io: OperationIO;
  readonly #shared = { expandedBytes: 0 };
  /** Whether the repository's name is enough to tell a file from others. */
  readonly #isOnlyUnnamed: boolean;

  constructor(layers: readonly Layer[], options: OperationOptions, io: OperationIO) {
    this.#options = options;
    this.#names = nameOptions(options);
    this.#io = io;
    this.#isOnlyUnnamed = layers.filter((layer) => this.#nameOf(layer) === undefined).length <= 1;
  }

  async layer(layer: Layer, index: number): Promise<Read> {
    const { rules, layout } = this.#options;
    const { dir, signal, ahead } = this.#io;
    signal.throwIfAborted();
    const holdsOneFile = rules?.holdsOneFile(layer) === true;
    const unpacked = await unpackLayer({
      source: layerBytes(layer, this.#io),
      size: layer.descriptor.size,
      dir,
      index,
      budget: budgetFor(layer, this.#io, this.#shared),
      signal,
      judge: (found) => contentOf(layer, found, holdsOneFile ? undefined : this.#nameOf(layer)),
      // The tree may begin with what the first layer holds.
      ahead:
        layout === "Merge" && !holdsOneFile
          ? ahead && { ...ahead, digest: index === 0 ? ahead.digest : undefined }
          : undefined,
    }).catch((error: unknown) => Promise.reject(unreadable(layer, error)));
    if (unpacked.content === "raw")
      return { layer, tree: this.#fileTree(layer, unpacked.body), isOverlay: false, special: 0 };
    const { special } = unpacked.counts;
    if (holdsOneFile)
      return { layer, tree: this.#fileTree(layer, onlyFile(layer, unpacked.tree)), isOverlay: false, special };
    return { layer, tree: unpacked.tree, isOverlay: isFileSystemLayer(layer), special };
  }

  /** The files that the layout's tool makes of a config blob. */
  async config({ config, filesOf }: ConfigFiles, index: number): Promise<Read> {
    const { fetcher, limits, dir, signal } = this.#io;
    signal.throwIfAborted();
    const bytes = await fetchAll(fetcher, config.descriptor, limits.maxManifestBytes, signal);
    const files = readConfig(config, () => filesOf(bytes));
    const spool = await SpoolWriter.create(join(dir, `config-${index}`));
    const tree = new Tree(limits.maxEntries);
    for (const [path, text] of Object.entries(files)) {
      const content = Buffer.from(text);
      tree.put(path, {
        kind: "file",
        executable: false,
        body: { file: join(dir, `config-${index}`), offset: spool.size, size: content.length },
      });
      await spool.write(content);
    }
    await spool.close();
    return { layer: config, tree, isOverlay: false, special: 0 };
  }

  #nameOf(layer: Layer): string | undefined {
    return this.#options.nameOf?.(layer, this.#options) ?? titleOf(layer);
  }

  #fileTree(layer: Layer, body: Body): Tree {
    const tree = new Tree(this.#io.limits.maxEntries);
    const ext = extensionOf(layer.descriptor.mediaType, { archive: "none", begins: undefined });
    const name = fileNameOf(layer, ext, this.#names, this.#isOnlyUnnamed);
    tree.put(name, { kind: "file", executable: this.#options.rules?.isExecutable(layer) === true, body });
    return tree;
  }
}

/** @throws ManifestInvalid */
function readConfig<T>({ descriptor }: Layer, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CodedError("ManifestInvalid", `config ${descriptor.digest}: ${messageOf(error)}`, { cause: error });
  }
}

/** Under the *PerDir layouts the template names the directories. */
function nameOptions(options: OperationOptions): OperationOptions {
  if (options.layout === "Merge") return options;
  const { filename: _, ...rest } = options;
  return rest;
}

/** @throws ArchiveInvalid where there is not exactly one */
function onlyFile({ descriptor }: Layer, { entries }: Tree): Body {
  const [body, ...others] = [...entries.values()].flatMap((entry) => (entry.kind === "file" ? [entry.body] : []));
  if (body === undefined || others.length > 0)
    throw new CodedError(
      "ArchiveInvalid",
      `layer ${descriptor.digest} holds ${others.length + (body ? 1 : 0)} files where its layout has one in each layer; to take it as an archive, select it with operation: Extract`,
    );
  return body;
}

function isFileSystemLayer(layer: Layer): boolean {
  return fileSystemLayer.test(layer.descriptor.mediaType) && titleOf(layer) === undefined;
}
