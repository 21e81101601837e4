import { constants, fstatSync, type Stats } from "node:fs";
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
export async function openRegularFile(path: string): Promise<{ handle: FileHandle; file: Stats } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
  try {
    // The kernel knows it of an open file, without looking at the disk.
    const file = fstatSync(handle.fd);
    if (file.isFile()) return { handle, file };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** A state as it stands in its file, and what tells the file from one that replaces it: states are not written to, but renamed. */
export interface StateFile extends Pick<Stats, "ino" | "size" | "mtimeMs"> {
  readonly text: string;
}

/** The state of an owner; undefined where nothing is stored for it. */
export async function readState(directory: string): Promise<OwnerState | undefined> {
  const found = await readStateFile(directory);
  return found && parseState(found.text);
}

/** Undefined where there is none, or one that was not written by us. */
export async function readStateFile(directory: string): Promise<StateFile | undefined> {
  const opened = await openRegularFile(join(directory, stateFile));
  if (opened === undefined) return undefined;
  const { handle, file } = opened;
  try {
    return file.size > maxStateBytes ? undefined : stateFileOf(file, await readText(handle, file.size));
  } finally {
    await handle.close();
  }
}

function stateFileOf({ ino, size, mtimeMs }: Stats, text: string): StateFile {
  return { ino, size, mtimeMs, text };
}

/** A file of so many bytes. Node's `readFile` asks for the size once more. */
async function readText(handle: FileHandle, bytes: number): Promise<string> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(buffer, at, bytes - at, at);
    if (bytesRead === 0) return "";
    at += bytesRead;
  }
  return buffer.toString("utf8");
}

/** Replaces the state of an owner, whole or not at all. @throws what the file system refuses */
export async function writeState(directory: string, state: OwnerState, createFile: CreateFile): Promise<StateFile> {
  const text = formatState(state);
  const file = await placeFile(join(directory, stateFile), async (temp) => {
    const handle = await createFile(temp);
    try {
      await handle.writeFile(text);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
  return stateFileOf(file, text);
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
