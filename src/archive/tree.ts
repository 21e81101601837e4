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
  /** The parent that was made sure of last: archives name the files of a directory one after the other. */
  #lastParent = "";

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
    const old = this.entries.get(path);
    if (old?.kind === "symlink") this.displacedLinks += 1;
    else if (old !== undefined && (old.kind === "dir") !== (entry.kind === "dir")) {
      if (entry.kind === "symlink") return void (this.displacedLinks += 1);
      throw clash(path);
    }
    this.#makeParents(path);
    this.entries.set(path, entry);
    this.#checkCount();
  }

  putDirectory(path: string): void {
    this.put(path, directory);
  }

  /** Removes the entries that `dooms` and everything below them, in one pass. */
  removeWhere(dooms: (path: string) => boolean): void {
    const verdicts = new Map<string, boolean>([["", false]]);
    const isDoomed = (path: string): boolean => {
      const known = verdicts.get(path);
      if (known !== undefined) return known;
      const verdict = isDoomed(parentOf(path)) || dooms(path);
      if (this.entries.get(path)?.kind === "dir") verdicts.set(path, verdict);
      return verdict;
    };
    const doomed = [...this.entries.keys()].filter(isDoomed);
    for (const path of doomed) this.entries.delete(path);
    this.#lastParent = "";
  }

  /** The paths in byte order. */
  paths(): string[] {
    return [...this.entries.keys()].sort(comparePaths);
  }

  #makeParents(path: string): void {
    const parent = parentOf(path);
    if (parent === "" || parent === this.#lastParent) return;
    const old = this.entries.get(parent);
    if (old?.kind === "symlink") this.displacedLinks += 1;
    else if (old !== undefined && old.kind !== "dir") throw clash(parent);
    if (old?.kind !== "dir") {
      this.#makeParents(parent);
      this.entries.set(parent, directory);
      this.#checkCount();
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
