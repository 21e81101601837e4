import { constants, fstatSync } from "node:fs";
import { lstat, open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { artifactFile, isArtifactFile } from "./artifact-path.ts";
import { placeFile, type CreateFile } from "./durable.ts";
import { formatState, parseState, stateFile, type OwnerState } from "./record.ts";
import { hasErrno } from "../errors.ts";
import type { StoredFile } from "./retention.ts";

/** A state is some KiB; what is larger was not written by us. */
const maxStateBytes = 8 * 1024 * 1024;

/** Opens a regular file for reading; undefined where there is none, or something else under its name. */
export async function openRegularFile(
  path: string,
): Promise<{ handle: FileHandle; size: number; mtime: Date } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
  try {
    // The kernel knows it of an open file, without looking at the disk.
    const stat = fstatSync(handle.fd);
    if (stat.isFile()) return { handle, size: stat.size, mtime: stat.mtime };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** The state of an owner; undefined where nothing is stored for it. */
export async function readState(directory: string): Promise<OwnerState | undefined> {
  const file = await openRegularFile(join(directory, stateFile));
  if (file === undefined) return undefined;
  try {
    return file.size > maxStateBytes ? undefined : parseState(await file.handle.readFile("utf8"));
  } finally {
    await file.handle.close();
  }
}

/** Replaces the state of an owner, whole or not at all. @throws what the file system refuses */
export async function writeState(directory: string, state: OwnerState, createFile: CreateFile): Promise<void> {
  await placeFile(join(directory, stateFile), async (temp) => {
    const handle = await createFile(temp);
    try {
      await handle.writeFile(formatState(state));
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
}

/**
 * The artifacts in the directory of an owner, with the time of their last renaming; empty where it is gone. Of those that its
 * state names nobody needs the time.
 */
export async function listFiles(directory: string, { current, superseded }: OwnerState): Promise<StoredFile[]> {
  const named = new Set([current, ...superseded].map(({ digest }) => artifactFile(digest)));
  const files: StoredFile[] = [];
  for (const name of await namesIn(directory)) {
    if (!isArtifactFile(name)) continue;
    try {
      files.push({ name, sinceMs: named.has(name) ? 0 : (await lstat(join(directory, name))).ctimeMs });
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }
  return files;
}

/** The names in a directory; none where there is no directory. @throws what the file system refuses */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}
