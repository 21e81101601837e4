import { CodedError } from "../errors.ts";
import { comparePaths, parentOf, quote } from "./path.ts";

/** Where the bytes of a file lie: a range of a scratch file. */
export interface Body {
  readonly file: string;
  readonly offset: number;
  readonly size: number;
}

export interface FileEntry {
  readonly kind: "file";
  readonly executable: boolean;
  readonly body: Body;
}

export interface DirEntry {
  readonly kind: "dir";
}

/** A symlink, or a hard link whose target was not in its own layer; neither is ever published. */
export interface LinkEntry {
  readonly kind: "symlink" | "hardlink";
  readonly target: string;
}

export type Entry = FileEntry | DirEntry | LinkEntry;

const surrogate = /[\ud800-\udfff]/;

const directory: DirEntry = Object.freeze({ kind: "dir" });

/**
 * What an archive holds, by normalised path. Every parent of an entry is in it as a directory; the root itself is not.
 * A flat map: names are keys and nothing else.
 */
export class Tree {
  readonly entries = new Map<string, Entry>();
  /** Symlinks that gave way to a directory or file of the same name. */
  displacedLinks = 0;
  readonly #maxEntries: number;
  /** No path is above it: what comes in order need not be looked for. */
  #highest = "";
  /** The parent that was made sure of last: archives name the files of a directory one after the other. */
  #lastParent = "";
  /** What lies in each directory; made when something is removed for the first time. */
  #children: Map<string, Set<string>> | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /**
   * Sets an entry as unpacking would: of two files the later one counts, a symlink gives way to a directory.
   * @throws ArchiveInvalid where a file and a directory have one name
   * @throws ArchiveTooManyEntries
   */
  put(path: string, entry: Entry): void {
    if (path === "") return;
    const old = path > this.#highest ? undefined : this.entries.get(path);
    if (old?.kind === "symlink") this.displacedLinks += 1;
    else if (old !== undefined && (old.kind === "dir") !== (entry.kind === "dir")) {
      if (entry.kind === "symlink") return void (this.displacedLinks += 1);
      throw clash(path);
    }
    this.#makeParents(path);
    this.#set(path, entry);
  }

  putDirectory(path: string): void {
    this.put(path, directory);
  }

  /** Removes an entry and everything below it: time grows with what goes, not with what stays. */
  remove(path: string): void {
    const entry = this.entries.get(path);
    this.entries.delete(path);
    this.#children?.get(parentOf(path))?.delete(path);
    if (entry?.kind === "dir") this.clear(path);
    this.#lastParent = "";
  }

  /** Removes everything below a directory. */
  clear(directory: string): void {
    const pending = [directory];
    const children = this.#indexed();
    for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
      for (const child of children.get(parent) ?? []) {
        this.entries.delete(child);
        pending.push(child);
      }
      children.delete(parent);
    }
    this.#lastParent = "";
  }

  /** The paths in byte order. */
  paths(): string[] {
    const paths = [...this.entries.keys()];
    // The order of UTF-16 code units, which needs no call for each comparison, is another one for surrogates alone.
    return paths.some((path) => surrogate.test(path)) ? paths.sort(comparePaths) : paths.sort();
  }

  #indexed(): Map<string, Set<string>> {
    if (this.#children === undefined) {
      this.#children = new Map();
      for (const path of this.entries.keys()) this.#index(path);
    }
    return this.#children;
  }

  #index(path: string): void {
    if (this.#children === undefined) return;
    const parent = parentOf(path);
    const siblings = this.#children.get(parent);
    if (siblings === undefined) this.#children.set(parent, new Set([path]));
    else siblings.add(path);
  }

  #set(path: string, entry: Entry): void {
    this.entries.set(path, entry);
    if (path > this.#highest) this.#highest = path;
    this.#index(path);
    this.#checkCount();
  }

  #makeParents(path: string): void {
    const parent = parentOf(path);
    if (parent === "" || parent === this.#lastParent) return;
    const old = this.entries.get(parent);
    if (old?.kind === "symlink") this.displacedLinks += 1;
    else if (old !== undefined && old.kind !== "dir") throw clash(parent);
    if (old?.kind !== "dir") {
      this.#makeParents(parent);
      this.#set(parent, directory);
    }
    this.#lastParent = parent;
  }

  #checkCount(): void {
    if (this.entries.size > this.#maxEntries) {
      throw new CodedError("ArchiveTooManyEntries", `there are more than ${this.#maxEntries} files and directories`);
    }
  }
}

function clash(path: string): CodedError {
  return new CodedError("ArchiveInvalid", `the archive has both a file and a directory named ${quote(path)}`);
}
