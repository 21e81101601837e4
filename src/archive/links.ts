import { CodedError } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import { comparePaths, parentOf, quote } from "./path.ts";
import { Tree, type Entry } from "./tree.ts";

/** As many as Linux follows in one path. */
const maxHops = 40;

type FollowLimits = Pick<Limits, "maxEntries" | "maxExpandedBytes" | "maxNameBytes">;

/** Characters of paths that are looked at; more of them are a maze of links made to keep us busy. */
const maxWork = 128 * 1024 * 1024;
/** What one step costs besides, in the same unit. */
const stepWork = 64;

/**
 * A tree without links: symlinks left out, or replaced by what they point to inside the same tree. Absolute targets start
 * at the tree's root. Broken ones, loops and those that lead out of the tree are left out.
 *
 * @returns how many symlinks were left out, those that had given way to other entries included
 * @throws ArchiveInvalid for a hard link to nothing; ArchiveTooManyEntries, ArchiveTooLarge
 */
export async function resolveLinks(
  tree: Tree,
  policy: "Skip" | "Follow",
  limits: FollowLimits,
  signal?: AbortSignal,
): Promise<{ tree: Tree; symlinks: number }> {
  const links: string[] = [];
  for (const [path, entry] of tree.entries) {
    if (entry.kind === "symlink") links.push(path);
    if (entry.kind !== "hardlink") continue;
    throw new CodedError(
      "ArchiveInvalid",
      `the archive has a hard link ${quote(path)} to ${quote(entry.target)}, which it does not contain; if that is in an earlier layer, use operation ExtractAll`,
    );
  }
  if (links.length === 0) return { tree, symlinks: tree.displacedLinks };
  if (policy === "Follow") return await new Follower(tree, limits, signal).run();
  for (const path of links) tree.remove(path);
  return { tree, symlinks: tree.displacedLinks + links.length };
}

class Follower {
  readonly #source: Tree;
  readonly #result: Tree;
  readonly #children: ReadonlyMap<string, readonly string[]>;
  readonly #limits: FollowLimits;
  readonly #turns: EventLoopTurns;
  #bytes = 0;
  #work = 0;
  #symlinks: number;

  constructor(source: Tree, limits: FollowLimits, signal: AbortSignal | undefined) {
    this.#turns = new EventLoopTurns(signal);
    this.#source = source;
    this.#result = new Tree(limits.maxEntries);
    this.#limits = limits;
    this.#children = childrenOf(source);
    this.#symlinks = source.displacedLinks;
  }

  async run(): Promise<{ tree: Tree; symlinks: number }> {
    await this.#copyChildren("", "", new Set([""]));
    return { tree: this.#result, symlinks: this.#symlinks };
  }

  /** @param open the real directories that are being copied: a link to one of them would never end */
  async #copyChildren(from: string, to: string, open: Set<string>): Promise<void> {
    for (const name of this.#children.get(from) ?? []) {
      const turn = this.#turns.next();
      if (turn !== undefined) await turn;
      const copy = join(to, name);
      this.#spendWork(copy.length);
      const target = copy.length > this.#limits.maxNameBytes ? undefined : this.#resolve(from, name);
      if (target === undefined) this.#symlinks += 1;
      else await this.#copy(target, copy, open);
    }
  }

  async #copy(from: string, to: string, open: Set<string>): Promise<void> {
    const entry = this.#entry(from);
    if (entry?.kind === "file") {
      this.#bytes += entry.body.size;
      if (this.#bytes > this.#limits.maxExpandedBytes) {
        throw new CodedError(
          "ArchiveTooLarge",
          `with symlinks followed there are more than ${this.#limits.maxExpandedBytes} bytes`,
        );
      }
      this.#result.put(to, entry);
    } else if (open.has(from)) {
      this.#symlinks += 1;
    } else {
      this.#result.putDirectory(to);
      open.add(from);
      await this.#copyChildren(from, to, open);
      open.delete(from);
    }
  }

  /** The file or directory that `name` in a real directory stands for once every link is followed. */
  #resolve(directory: string, name: string): string | undefined {
    const pending = [name];
    let resolved = directory;
    for (let hops = 0; pending.length > 0;) {
      const next = step(resolved, pending.pop()!);
      this.#spendWork(resolved.length);
      const entry = next === undefined ? undefined : this.#entry(next);
      if (next === undefined || entry === undefined) return undefined;
      if (entry.kind === "symlink") {
        if (++hops > maxHops) return undefined;
        pending.push(...entry.target.split("/").toReversed());
        resolved = entry.target.startsWith("/") ? "" : resolved;
      } else {
        if (entry.kind === "file" && pending.length > 0) return undefined;
        resolved = next;
      }
    }
    return resolved;
  }

  #spendWork(characters: number): void {
    this.#work += characters + stepWork;
    if (this.#work > maxWork)
      throw new CodedError(
        "ArchiveTooManyEntries",
        "the symlinks lead to too many files; set layerSelector.symlinks to Skip",
      );
  }

  #entry(path: string): Entry | undefined {
    return path === "" ? { kind: "dir" } : this.#source.entries.get(path);
  }
}

function childrenOf(tree: Tree): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const path of tree.entries.keys()) {
    const parent = parentOf(path);
    const names = children.get(parent);
    const name = path.slice(parent === "" ? 0 : parent.length + 1);
    if (names === undefined) children.set(parent, [name]);
    else names.push(name);
  }
  for (const names of children.values()) names.sort(comparePaths);
  return children;
}

/** One part further from a directory; undefined above the root. */
function step(directory: string, part: string): string | undefined {
  if (part === "" || part === ".") return directory;
  if (part !== "..") return join(directory, part);
  return directory === "" ? undefined : parentOf(directory);
}

function join(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}
