import { mergeTrees, type LabelledTree } from "../archive/merge.ts";
import { overlay } from "../archive/overlay.ts";
import { Tree } from "../archive/tree.ts";
import { CodedError } from "../errors.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { publishable, writeTree } from "./extract.ts";
import { layerDirectory, manifestDirectory, printablePlatform } from "./file-name.ts";
import type { Operation, OperationIO, OperationOptions, TreeOperation } from "./operation.ts";
import { readLayers, type Part } from "./read-layers.ts";

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
  const isOne = new Set(parts.map(({ layer }) => layer.node)).size <= 1;
  const trees: LabelledTree[] = [];
  for (const group of groups) trees.push({ tree: await treeOf(group, io), label: labelOf(group, isOne) });
  return trees.length === 1
    ? trees[0]!.tree
    : await mergeTrees(trees, options.onConflict, io.limits.maxEntries, io.signal);
}

async function treeOf(group: readonly Part[], io: OperationIO): Promise<Tree> {
  if (!group[0]!.isOverlay) return group[0]!.tree;
  const trees = group.map(({ tree }) => tree);
  return await overlay(trees, io.limits.maxEntries, io.signal);
}

/** As a message names it; a layer of several manifests with the one that it belongs to. */
function labelOf(group: readonly Part[], isOneManifest: boolean): string {
  const { descriptor, ordinal, node } = group[0]!.layer;
  const { digest, platform } = node.descriptor;
  if (group.length > 1) return `the file system of ${digest}`;
  const layer = ordinal < 0 ? `the config ${descriptor.digest}` : `layer ${ordinal} (${descriptor.digest})`;
  return isOneManifest ? layer : `${layer} of manifest ${digest}${platform ? ` (${printablePlatform(platform)})` : ""}`;
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
  const turns = new EventLoopTurns(io.signal);
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
