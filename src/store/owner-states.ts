import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { hasErrno } from "../errors.ts";
import { ownerDirectory } from "./artifact-path.ts";
import { findDirectory, type CreateFile } from "./durable.ts";
import { stateFile, type OwnerState } from "./record.ts";
import { loadState, writeState, type Identity } from "./state.ts";
import type { Owner } from "./store.ts";

/** One reconcile looks at the state of its object several times; an object's state is some KiB. */
const remembered = 256;

/** The directory of an owner, and its state. */
export interface Stored {
  readonly directory: string;
  readonly state: OwnerState;
}

interface Remembered {
  readonly state: OwnerState;
  readonly file: Identity;
}

/**
 * The states of owners as the files have them: those that were read or written last are not read again while the file is the
 * same. It is looked at each time, since another replica may have written it, or somebody removed it.
 */
export class OwnerStates {
  readonly #known = new LRUCache<string, Remembered>({ max: remembered });
  readonly #root: string;
  readonly #seen: Set<string>;

  /** @param seen directories above those of owners that are known to be there */
  constructor(root: string, seen: Set<string>) {
    this.#root = root;
    this.#seen = seen;
  }

  /** Undefined where nothing is stored for the owner. @throws StorageFailed, what the file system refuses */
  async find(owner: Owner): Promise<Stored | undefined> {
    const known = await this.remembered(owner);
    if (known) return known;
    const relative = ownerDirectory(owner);
    const directory = await findDirectory(this.#root, relative, this.#seen);
    const state = directory === undefined ? undefined : await this.read(directory);
    return directory === undefined || state === undefined ? undefined : { directory, state };
  }

  /** Reads the state in the directory of an owner, whatever is remembered. */
  async read(directory: string): Promise<OwnerState | undefined> {
    const loaded = await loadState(directory);
    if (loaded) this.#known.set(directory, loaded);
    else this.#known.delete(directory);
    return loaded?.state;
  }

  /** Replaces it, whole or not at all. @throws what the file system refuses */
  async write(directory: string, state: OwnerState, createFile: CreateFile): Promise<void> {
    this.#known.delete(directory);
    const file = await writeState(directory, state, createFile);
    this.#known.set(directory, { state, file });
  }

  /** What is known of it without reading, where that is still so. */
  async remembered(owner: Owner): Promise<Stored | undefined> {
    const directory = join(this.#root, ownerDirectory(owner));
    const known = this.#known.get(directory);
    if (known === undefined) return undefined;
    const { file, state } = known;
    try {
      const { ino, size, mtimeMs } = await lstat(join(directory, stateFile));
      if (ino === file.ino && size === file.size && mtimeMs === file.mtimeMs) return { directory, state };
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
    this.#known.delete(directory);
    return undefined;
  }
}
