import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { hasErrno } from "../errors.ts";
import { ownerDirectory } from "./artifact-path.ts";
import { findDirectory, type CreateFile, type Directories } from "./durable.ts";
import { parseState, stateFile, type OwnerState } from "./record.ts";
import { readStateFile, writeState, type StateFile } from "./state.ts";
import type { Owner } from "./store.ts";

/**
 * As they stand in their files, 1 KiB for most: what is read of them would take three times as much. It is enough
 * for the objects that a release moves at once.
 */
const maxRememberedBytes = 2 * 1024 * 1024;

/** The directory of an owner, and its state. */
export interface Stored {
  readonly directory: string;
  readonly state: OwnerState;
}

/**
 * The states of owners as the files have them: those that were read or written last are not read again while the file is the
 * same. It is looked at each time, since another replica may have written it, or somebody removed it.
 */
export class OwnerStates {
  readonly #known = new LRUCache<string, StateFile>({
    maxSize: maxRememberedBytes,
    sizeCalculation: ({ text }) => text.length,
  });
  readonly #directories: Pick<Directories, "root" | "seen">;

  constructor(directories: Pick<Directories, "root" | "seen">) {
    this.#directories = directories;
  }

  /** Undefined where nothing is stored for the owner. @throws StorageFailed, what the file system refuses */
  async find(owner: Owner): Promise<Stored | undefined> {
    const known = await this.remembered(owner);
    if (known) return known;
    const { root, seen } = this.#directories;
    const directory = await findDirectory(root, ownerDirectory(owner), seen);
    const state = directory === undefined ? undefined : await this.read(directory);
    return directory === undefined || state === undefined ? undefined : { directory, state };
  }

  /** Reads the state in the directory of an owner, whatever is remembered. */
  async read(directory: string): Promise<OwnerState | undefined> {
    const found = await readStateFile(directory);
    const state = found && parseState(found.text);
    if (found && state) this.#known.set(directory, found);
    else this.#known.delete(directory);
    return state;
  }

  /** Replaces it, whole or not at all. @throws what the file system refuses */
  async write(directory: string, state: OwnerState, createFile: CreateFile): Promise<void> {
    this.#known.delete(directory);
    this.#known.set(directory, await writeState(directory, state, createFile));
  }

  /** What is known of it without reading, where that is still so. */
  async remembered(owner: Owner): Promise<Stored | undefined> {
    const directory = join(this.#directories.root, ownerDirectory(owner));
    const known = this.#known.get(directory);
    if (known === undefined) return undefined;
    try {
      const { ino, size, mtimeMs } = await lstat(join(directory, stateFile));
      const state =
        ino === known.ino && size === known.size && mtimeMs === known.mtimeMs ? parseState(known.text) : undefined;
      if (state) return { directory, state };
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
    this.#known.delete(directory);
    return undefined;
  }
}
