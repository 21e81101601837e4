import pLimit from "p-limit";
import type { Body } from "../archive/tree.ts";
import { mergeTrees, type LabelledTree } from "../archive/merge.ts";
import { overlay } from "../archive/overlay.ts";
import { Tree } from "../archive/tree.ts";
import { unpackLayer } from "../archive/unpack.ts";
import { CodedError } from "../errors.ts";
import { Turns } from "../turns.ts";
import type { Layer } from "../oci/types.ts";
import { contentOf, unreadable } from "./archive-claim.ts";
import { budgetFor, publishable, writeTree } from "./extract.ts";
import { extensionOf, fileNameOf, layerDirectory, manifestDirectory, titleOf } from "./file-name.ts";
import { layerBytes } from "./layer-content.ts";
import type { Operation, OperationIO, OperationOptions, TreeOperation } from "./operation.ts";

/** Layers that are downloaded and unpacked side by side; more would only compete for the thread pool. */
const CONCURRENCY = 4;

/** OCI image-spec, layer.md, and Docker's image manifest V2: layers of a file system, which overlay each other. */
const fileSystemLayer = /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)/;

/** A layer with what it holds: an archive's tree, or the one file that it is. */
interface Part {
  readonly layer: Layer;
  readonly tree: Tree;
  readonly isOverlay: boolean;
}

/**
 * Every selected layer, in order, in one tree (api.md, "Operations"): archives unpacked, raw layers as files.
 *
 * @throws PathConflict, InvalidTemplate, Archive…, InvalidPattern, EmptyResult, StorageFailed, what the fetcher throws
 */
export const extractAll: Operation = async (layers, options, io) =>
  await writeTree(await extractAllTree(layers, options, io), io);

/** The same as files. @throws as `extractAll` */
export const extractAllTree: TreeOperation = async (layers, options, io) => {
  const { parts, special } = await readLayers(layers, options, io);
  const { tree, roots } = await arrangements[options.layout](parts, options, io);
  // What the layout's own tool pulls is all there: nothing is left out that nobody has named.
  const rules = { symlinks: options.symlinks, specIgnore: options.ignore, defaults: "none", roots } as const;
  return await publishable({ tree, counts: { special } }, rules, io);
};

/** One tree, and the directories in it that were made for layers or manifests. */
interface Arranged {
  readonly tree: Tree;
  readonly roots?: ReadonlySet<string>;
}

type Arrange = (parts: readonly Part[], options: OperationOptions, io: OperationIO) => Promise<Arranged>;

const arrangements: Readonly<Record<OperationOptions["layout"], Arrange>> = {
  Merge: async (parts, options, io) => ({ tree: await mergeParts(parts, options, io) }),
  LayerPerDir: async (parts, options, io) => {
    const named = parts.map((part) => ({ name: layerDirectory(part.layer, options), parts: [part] }));
    return await directories(named, options, io);
  },
  ManifestPerDir: async (parts, options, io) => {
    const byManifest = Map.groupBy(parts, ({ layer }) => layer.node.descriptor.digest);
    const named = [...byManifest.values()].map((group) => ({
      name: manifestDirectory(group[0]!.layer.node, options),
      parts: group,
    }));
    return await directories(named, options, io);
  },
};

async function readLayers(
  layers: readonly Layer[],
  options: OperationOptions,
  io: OperationIO,
): Promise<{ parts: Part[]; special: number }> {
  const abort = new AbortController();
  const signal = AbortSignal.any([io.signal, abort.signal]);
  const limit = pLimit(CONCURRENCY);
  const shared = { expandedBytes: 0 };
  const nameOf = (layer: Layer): string | undefined => options.nameOf?.(layer) ?? titleOf(layer);
  const unnamed = layers.filter((layer) => nameOf(layer) === undefined).length;
  let special = 0;
  const names = { ...nameOptions(options), isOnly: unnamed <= 1 };
  const readOne = async (layer: Layer, index: number): Promise<Part> => {
    signal.throwIfAborted();
    const here = { ...io, signal };
    const onFile = options.layout === "Merge" ? io.onFile : undefined;
    const unpacked = await unpackLayer({
      source: layerBytes(layer, here),
      size: layer.descriptor.size,
      dir: io.dir,
      index,
      budget: budgetFor(layer, io, shared),
      signal,
      judge: (found) => contentOf(layer, found, nameOf(layer)),
      onFile,
    }).catch((error: unknown) => Promise.reject(unreadable(layer, error)));
    if (unpacked.content === "raw") return { layer, tree: fileTree(layer, unpacked.body, names, io), isOverlay: false };
    special += unpacked.counts.special;
    return { layer, tree: unpacked.tree, isOverlay: isFileSystemLayer(layer) };
  };
  const reading = layers.map((layer, index) => limit(() => readOne(layer, index)));
  try {
    return { parts: await Promise.all(reading), special };
  } catch (error) {
    // The others are of no use any more. They have to have ended before the directory is somebody else's.
    abort.abort(error);
    await Promise.allSettled(reading);
    throw error;
  }
}

/** Under the *PerDir layouts the template names the directories. */
function nameOptions(options: OperationOptions): OperationOptions {
  if (options.layout === "Merge") return options;
  const { filename: _, ...rest } = options;
  return rest;
}

function fileTree(
  layer: Layer,
  body: Body,
  names: OperationOptions & { readonly isOnly: boolean },
  io: OperationIO,
): Tree {
  const tree = new Tree(io.limits.maxEntries);
  tree.put(
    fileNameOf(
      layer,
      extensionOf(layer.descriptor.mediaType, { archive: "none", begins: undefined }),
      names,
      names.isOnly,
    ),
    {
      kind: "file",
      executable: false,
      body,
    },
  );
  return tree;
}

function isFileSystemLayer(layer: Layer): boolean {
  return fileSystemLayer.test(layer.descriptor.mediaType) && titleOf(layer) === undefined;
}

/** Image file system layers that follow each other become one tree, which merges with the rest like any other. */
async function mergeParts(parts: readonly Part[], options: OperationOptions, io: OperationIO): Promise<Tree> {
  const groups: Part[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    const joins =
      part.isOverlay &&
      last?.[0]?.isOverlay === true &&
      last[0].layer.node.descriptor.digest === part.layer.node.descriptor.digest;
    if (joins) last.push(part);
    else groups.push([part]);
  }
  const trees: LabelledTree[] = [];
  for (const group of groups) trees.push({ tree: await treeOf(group, io), label: labelOf(group) });
  return trees.length === 1
    ? trees[0]!.tree
    : await mergeTrees(trees, options.onConflict, io.limits.maxEntries, io.signal);
}

async function treeOf(group: readonly Part[], io: OperationIO): Promise<Tree> {
  if (!group[0]!.isOverlay) return group[0]!.tree;
  const trees = group.map(({ tree }) => tree);
  return await overlay(trees, io.limits.maxEntries, io.signal);
}

function labelOf(group: readonly Part[]): string {
  const { descriptor, ordinal } = group[0]!.layer;
  return group.length > 1
    ? `the file system of ${group[0]!.layer.node.descriptor.digest}`
    : `layer ${ordinal} (${descriptor.digest})`;
}

interface NamedParts {
  readonly name: string;
  readonly parts: readonly Part[];
}

/** @throws PathConflict where two directories have one name */
async function directories(
  named: readonly NamedParts[],
  options: OperationOptions,
  io: OperationIO,
): Promise<Arranged> {
  const result = new Tree(io.limits.maxEntries);
  const roots = new Set<string>();
  const turns = new Turns(io.signal);
  for (const { name, parts } of named) {
    if (roots.has(name)) throw equalNames(name, options);
    roots.add(name);
    const tree = await mergeParts(parts, options, io);
    result.putDirectory(name);
    for (const [path, entry] of tree.entries) {
      await turns.next();
      result.put(`${name}/${path}`, relocate(entry, name));
    }
    result.displacedLinks += tree.displacedLinks;
  }
  return { tree: result, roots };
}

/** An absolute link target, and a hard link's, start at the root of their own tree. */
function relocate(entry: ReturnType<Tree["entries"]["get"]> & object, name: string): typeof entry {
  if (entry.kind === "hardlink") return { ...entry, target: `${name}/${entry.target}` };
  return entry.kind === "symlink" && entry.target.startsWith("/")
    ? { ...entry, target: `/${name}${entry.target}` }
    : entry;
}

function equalNames(name: string, { layout, filename }: OperationOptions): CodedError {
  const unique = layout === "LayerPerDir" ? "{platform}-{offset}" : "{hex}";
  const found = filename === undefined ? "" : ` with filename ${JSON.stringify(filename)}`;
  return new CodedError(
    "PathConflict",
    `two directories of layout ${layout} are named ${JSON.stringify(name)}${found}; for names that differ, write\nlayerSelector:\n  filename: "${unique}"`,
    {
      details: { path: name, suggestion: { layerSelector: { filename: unique } } },
    },
  );
}
