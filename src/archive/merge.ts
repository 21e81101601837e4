import { createHash } from "node:crypto";
import { CodedError, stopIfAborted } from "../errors.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { parentOf, quote } from "./path.ts";
import { SpoolReaders } from "./spool-readers.ts";
import { Tree, type Body, type Entry } from "./tree.ts";

/** A tree and the layer it came from, as messages name it. */
export interface LabelledTree {
  readonly tree: Tree;
  readonly label: string;
}

type ConflictPolicy = "Fail" | "Overwrite" | "Keep";

/**
 * Merges trees, in order, into one. Two files of one path and equal content do not conflict.
 *
 * @param onConflict Overwrite: the later layer counts; Keep: the earlier one
 * @throws PathConflict under Fail: names the path and both layers; ArchiveTooManyEntries, StorageFailed, Aborted
 */
export async function mergeTrees(
  parts: readonly LabelledTree[],
  onConflict: ConflictPolicy,
  maxEntries: number,
  signal?: AbortSignal,
): Promise<Tree> {
  const merged = new Tree(maxEntries);
  const turns = new EventLoopTurns(signal);
  const bodies = new BodyComparer(signal);
  try {
    for (const { tree, label } of parts) {
      const conflicts = merged.entries.size === 0 ? [] : await findConflicts(merged, tree, { bodies, turns });
      const first = conflicts[0];
      if (first !== undefined && onConflict === "Fail")
        throw conflict(first, { merged, tree, earlier: firstWith(first, parts), later: label });
      const losing = onConflict === "Keep" ? tree : merged;
      for (const path of conflicts) losing.remove(path);
      await add(merged, tree, { onConflict, turns });
      merged.displacedLinks += tree.displacedLinks;
    }
  } finally {
    await bodies.close();
  }
  return merged;
}

/** The paths at which the two trees differ. A file where the other has a directory hides everything below it. */
async function findConflicts(
  merged: Tree,
  tree: Tree,
  { bodies, turns }: { readonly bodies: BodyComparer; readonly turns: EventLoopTurns },
): Promise<string[]> {
  const conflicts: string[] = [];
  for (const [path, entry] of tree.entries) {
    const turn = turns.next();
    if (turn !== undefined) await turn;
    const old = merged.entries.get(path);
    if (old === undefined || (old.kind === "dir" && entry.kind === "dir")) continue;
    if (!(await isSame(old, entry, bodies))) conflicts.push(path);
  }
  return conflicts;
}

async function isSame(a: Entry, b: Entry, bodies: BodyComparer): Promise<boolean> {
  if (a.kind === "file")
    return b.kind === "file" && a.body.size === b.body.size && (await bodies.areEqual(a.body, b.body));
  return a.kind !== "dir" && a.kind === b.kind && a.target === b.target;
}

/** Equal files may still differ in the executable bit, so that the later one has to be set too where it counts. */
async function add(
  merged: Tree,
  tree: Tree,
  { onConflict, turns }: { readonly onConflict: ConflictPolicy; readonly turns: EventLoopTurns },
): Promise<void> {
  const isFirst = merged.entries.size === 0;
  for (const [path, entry] of tree.entries) {
    const turn = turns.next();
    if (turn !== undefined) await turn;
    if (!isFirst && merged.entries.has(path) && (onConflict !== "Overwrite" || entry.kind !== "file")) continue;
    merged.put(path, entry);
  }
}

/** As long as nothing has conflicted, a path came with the first layer that has it. */
function firstWith(path: string, parts: readonly LabelledTree[]): string {
  return parts.find(({ tree }) => tree.entries.has(path))?.label ?? "an earlier layer";
}

/** Compares bodies by digest; each is read once however many layers it is compared with. */
class BodyComparer {
  readonly #readers = new SpoolReaders();
  readonly #digests = new Map<Body, string>();
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  async areEqual(a: Body, b: Body): Promise<boolean> {
    return a === b || a.size === 0 || (await this.#digest(a)) === (await this.#digest(b));
  }

  async #digest(body: Body): Promise<string> {
    const known = this.#digests.get(body);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    for (let at = 0; at < body.size;) {
      const piece = await this.#readers.read(body.file, body.offset + at, body.size - at);
      hash.update(piece);
      at += piece.length;
      stopIfAborted(this.#signal, "while comparing files");
    }
    const digest = hash.digest("base64");
    this.#digests.set(body, digest);
    return digest;
  }

  close(): Promise<void> {
    return this.#readers.close();
  }
}

function conflict(
  path: string,
  { merged, tree, earlier, later }: { merged: Tree; tree: Tree; earlier: string; later: string },
): CodedError {
  const kinds = `${kindOf(merged, path)} in ${earlier} and ${kindOf(tree, path)} in ${later}`;
  const where = parentOf(path) === "" ? "" : ` (in directory ${quote(parentOf(path))})`;
  return new CodedError(
    "PathConflict",
    `${quote(path)}${where} is ${kinds}, with different content; to let the later layer win, write\nlayerSelector:\n  onConflict: Overwrite\nKeep lets the earlier one win; layout: LayerPerDir keeps both apart`,
    { details: { path, layers: [earlier, later], suggestion: { layerSelector: { onConflict: "Overwrite" } } } },
  );
}

function kindOf(tree: Tree, path: string): string {
  const kind = tree.entries.get(path)?.kind;
  return kind === "dir" ? "a directory" : kind === "symlink" ? "a symlink" : "a file";
}
