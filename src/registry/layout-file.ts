import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../disk/make-directory.ts";
import { CodedError, messageOf, hasErrno } from "../errors.ts";
import { algorithmOf, hexOf } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";

/** image-layout.md: `blobs/<algorithm>/<encoded>`; both parts are known to be safe names once the digest is parsed. */
export function blobPath(dir: string, digest: Digest): string {
  return join(dir, "blobs", algorithmOf(digest), hexOf(digest));
}

/** Opens a regular file; a FIFO or device in a layout from elsewhere would block for ever. @throws NotFound, StorageFailed */
export async function openFile(path: string, name: string): Promise<{ file: FileHandle; size: number }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = await file.stat();
    if (info.isFile()) return { file, size: info.size };
    await file.close();
  } catch (error) {
    throw fileError(error, name);
  }
  throw new CodedError("StorageFailed", `${name} is not a regular file`);
}

/** A small file, whole. @throws ManifestTooLarge, NotFound, StorageFailed */
export async function readSmall(path: string, maxBytes: number, name: string): Promise<Buffer> {
  const { file, size } = await openFile(path, name);
  try {
    if (size > maxBytes)
      throw new CodedError("ManifestTooLarge", `${name} has ${size} bytes; at most ${maxBytes} are read`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The size of a regular file; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const info = await stat(path);
    return info.isFile() ? info.size : undefined;
  } catch {
    return undefined;
  }
}

/** Writes beside `path` and renames, so that nobody ever sees half of it. @throws StorageFailed, or what `chunks` throws */
export async function writeAtomically(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await makeDirectory(dirname(path));
    const file = await open(temporary, "wx");
    try {
      for await (const chunk of chunks) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(error, path);
  }
}

/**
 * The error of the file system as NotFound or StorageFailed; a coded one stays what it is.
 * @param name of the file, for the message
 */
export function fileError(error: unknown, name: string): CodedError {
  if (error instanceof CodedError) return error;
  return hasErrno(error, "ENOENT")
    ? new CodedError("NotFound", `${name} is not there`, { cause: error })
    : new CodedError("StorageFailed", `${name}: ${messageOf(error)}`, { cause: error });
}
