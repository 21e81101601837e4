import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, fsync, open as openWithCallback, type Stats } from "node:fs";
import { lstat, mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { CodedError, messageOf, hasErrno } from "../errors.ts";

const openDescriptor = promisify(openWithCallback) as (path: string, flags: number) => Promise<number>;
const syncDescriptor = promisify(fsync);

/** Creates a file that must not exist yet; tests stand in a full disk here. */
export type CreateFile = (path: string) => Promise<FileHandle>;

export const createFile: CreateFile = (path) => open(path, "wx", 0o644);

const tempPattern = /^\..+\.[a-f0-9]{16}\.tmp$/;

/** Whether `name` is a file that a killed process was still writing. */
export function isTempName(name: string): boolean {
  return tempPattern.test(name);
}

/** Makes the whole file `temp`; a handle that is returned is still open and will be closed. */
export type Fill = (temp: string) => Promise<FileHandle | undefined>;

/**
 * Puts a whole file at `target`, or none: `fill` makes a temporary file beside it, which is flushed to the disk and renamed.
 * The rename itself is durable only after `syncDirectory`.
 * @returns the file as it was flushed
 */
export async function placeFile(target: string, fill: Fill): Promise<Stats> {
  const temp = join(dirname(target), `.${basename(target)}.${randomBytes(8).toString("hex")}.tmp`);
  try {
    const handle = await fill(temp);
    const file = await (handle === undefined ? syncPath(temp) : syncAndClose(handle));
    await rename(temp, target);
    return file;
  } catch (error) {
    await rm(temp, { force: true }).catch(() => {});
    throw error;
  }
}

/** Makes what was created in or renamed into `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  await syncPath(directory);
}

async function syncPath(path: string): Promise<Stats> {
  const descriptor = await openDescriptor(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await syncDescriptor(descriptor);
    return fstatSync(descriptor);
  } finally {
    // Where it was only read, nothing is left to be written.
    closeSync(descriptor);
  }
}

async function syncAndClose(handle: FileHandle): Promise<Stats> {
  try {
    await handle.sync();
    return fstatSync(handle.fd);
  } finally {
    await handle.close();
  }
}

/** How often a directory is made anew that another owner's removal has just taken away as empty. */
const makeAttempts = 5;

/** Where directories are made, and which are known to be there, though somebody may remove them. */
export interface Directories {
  readonly root: string;
  readonly seen: Set<string>;
  /** `syncDirectory`, perhaps one for several. */
  readonly sync: (directory: string) => Promise<void>;
}

/**
 * Creates `relative` below `root`, part by part, so that a symlink on the way is never followed; says whether it is new, and so empty.
 * @throws StorageFailed where a part of it is something else than a directory
 */
export async function ensureDirectory(
  directories: Directories,
  relative: string,
): Promise<{ directory: string; isNew: boolean }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await makeDirectories(directories, relative);
    } catch (error) {
      if (attempt === makeAttempts || !hasErrno(error, "ENOENT")) throw error;
      directories.seen.clear();
    }
  }
}

async function makeDirectories(
  directories: Directories,
  relative: string,
): Promise<{ directory: string; isNew: boolean }> {
  const { root, seen } = directories;
  const directory = join(root, relative);
  let path = root;
  let isNew = false;
  for (const part of relative.split("/")) {
    const parent = path;
    path = join(parent, part);
    if (seen.has(path)) continue;
    isNew = await makeDirectory(path, parent, directories, relative);
    // Those of owners are many, and are looked at each time.
    if (path !== directory) seen.add(path);
  }
  return { directory, isNew };
}

/** False where it is there already. */
async function makeDirectory(path: string, parent: string, { sync }: Directories, relative: string): Promise<boolean> {
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasErrno(error, "EEXIST") || !(await isDirectory(path, relative))) throw error;
    return false;
  }
  await sync(parent);
  return true;
}

/**
 * The path of `relative` below `root` where all of it are directories; undefined where it does not exist.
 * @param seen those above the last that are known to be directories: they are added to, and not looked at again
 */
export async function findDirectory(root: string, relative: string, seen?: Set<string>): Promise<string | undefined> {
  const directory = join(root, relative);
  let path = root;
  for (const part of relative.split("/")) {
    path = join(path, part);
    if (seen?.has(path)) continue;
    if (!(await isDirectory(path, relative))) return undefined;
    if (path !== directory) seen?.add(path);
  }
  return directory;
}

/** False where there is nothing. @throws StorageFailed where there is something else */
async function isDirectory(path: string, relative: string): Promise<boolean> {
  try {
    if ((await lstat(path)).isDirectory()) return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
  throw notADirectory(relative);
}

function notADirectory(relative: string): CodedError {
  return new CodedError(
    "StorageFailed",
    `${relative} in the storage is a symlink or a file where a directory belongs; remove it`,
  );
}

const advice: Readonly<Record<string, string>> = {
  ENOSPC: "the storage is full; free space or enlarge the volume",
  EDQUOT: "the storage's quota is used up; free space or raise it",
  EROFS: "the storage is read-only; mount it writable",
  EACCES: "the storage may not be written to; its directory must belong to the user of this process",
  EPERM: "the storage may not be written to; its directory must belong to the user of this process",
  EIO: "the storage has failed to read or write; check the disk",
};

/** StorageFailed for what the file system refused; errors of our own and aborts stay what they are. */
export function storageError(error: unknown, what: string): unknown {
  if (
    error instanceof CodedError ||
    (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError"))
  )
    return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new CodedError(
    "StorageFailed",
    `${what}: ${advice[code] ?? messageOf(error)}${code in advice ? ` (${code})` : ""}`,
    { cause: error, details: { errno: code } },
  );
}
