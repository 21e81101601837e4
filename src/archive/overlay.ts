import { CodedError } from "../errors.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { baseName, parentOf, quote } from "./path.ts";
import { Tree, type Entry } from "./tree.ts";

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";
/** Names with this prefix are book-keeping of the union file system that invented whiteouts. */
const whiteoutMetaPrefix = ".wh..wh.";

/**
 * Lays the layers of an image's file system over each other (OCI image-spec, layer.md, "Whiteouts"): a whiteout removes
 * what lower layers have at its path, an opaque one all that they have in its directory.
 *
 * @returns the file system, which may still have symlinks
 * @throws ArchiveInvalid for a malformed whiteout, ArchiveTooManyEntries
 */
export async function overlay(layers: readonly Tree[], maxEntries: number, signal?: AbortSignal): Promise<Tree> {
  const merged = new Tree(maxEntries);
  const turns = new EventLoopTurns(signal);
  for (const layer of layers) {
    const { removed, opaque } = whiteouts(layer);
    for (const [path, entry] of layer.entries) if (hides(entry, merged.entries.get(path))) removed.add(path);
    for (const path of removed) merged.remove(path);
    for (const path of opaque) merged.clear(path);
    for (const [path, entry] of layer.entries) {
      await turns.next();
      if (path.startsWith(whiteoutPrefix) || path.includes(`/${whiteoutPrefix}`)) continue;
      const resolved = resolveHardLink(merged, layer, path);
      if (entry.kind !== "dir") merged.remove(path);
      merged.put(path, resolved);
    }
    merged.displacedLinks += layer.displacedLinks;
  }
  return merged;
}

function whiteouts(layer: Tree): { removed: Set<string>; opaque: Set<string> } {
  const removed = new Set<string>();
  const opaque = new Set<string>();
  for (const path of layer.entries.keys()) {
    const name = baseName(path);
    if (!name.startsWith(whiteoutPrefix)) continue;
    if (name === opaqueName) opaque.add(parentOf(path));
    else if (!name.startsWith(whiteoutMetaPrefix)) removed.add(whiteoutTarget(path, name.slice(whiteoutPrefix.length)));
  }
  return { removed, opaque };
}

function whiteoutTarget(path: string, name: string): string {
  if (name === "" || name === "." || name === "..")
    throw new CodedError("ArchiveInvalid", `the layer has a whiteout ${quote(path)} that names nothing`);
  const parent = parentOf(path);
  return parent === "" ? name : `${parent}/${name}`;
}

/** Whether an entry takes the place of a lower one of another kind, with all that lies below that one. */
function hides(entry: Entry, lower: Entry | undefined): boolean {
  return lower !== undefined && (lower.kind === "dir") !== (entry.kind === "dir");
}

/** A hard link that its own layer left open names a file of a lower layer. */
function resolveHardLink(merged: Tree, layer: Tree, path: string): Entry {
  const entry = layer.entries.get(path)!;
  if (entry.kind !== "hardlink") return entry;
  const target = merged.entries.get(entry.target) ?? layer.entries.get(entry.target);
  if (target?.kind !== "file" && target?.kind !== "symlink") {
    throw new CodedError(
      "ArchiveInvalid",
      `the layer has a hard link ${quote(path)} to ${quote(entry.target)}, which does not exist`,
    );
  }
  return target;
}
