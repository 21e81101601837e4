import { createReadStream } from "node:fs";
import { rename, type FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CodedError, hasErrno } from "../errors.ts";
import { Verifier, verifyingStream, type Expected } from "../oci/digest.ts";
import type { StagedBlob } from "../oci/types.ts";
import type { CreateFile } from "./durable.ts";
import { openRegularFile } from "./state.ts";

const chunkBytes = 256 * 1024;

/** Another file system, or a scratch directory that may only be read. */
const noRename = ["EXDEV", "EPERM", "EACCES"];

/**
 * Moves the staged file to `temp`, or copies it where it cannot be moved. Never a hard link: whoever writes to the staged
 * file later would change the artifact.
 * @returns a handle of the file where it was moved
 * @throws DigestMismatch, SizeMismatch where the staged file is not what it should be
 */
export async function takeStaged(
  blob: StagedBlob,
  temp: string,
  createFile: CreateFile,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  const staged = await openRegularFile(blob.path);
  if (staged === undefined) throw new CodedError("StorageFailed", `the staged file of ${blob.digest} is gone`);
  const { size } = staged.file;
  if (size !== blob.size) {
    await staged.handle.close();
    throw new CodedError("SizeMismatch", `the staged file of ${blob.digest} is ${size} bytes, not ${blob.size}`);
  }
  try {
    await rename(blob.path, temp);
    return staged.handle;
  } catch (error) {
    await staged.handle.close();
    if (!hasErrno(error, ...noRename)) throw error;
    return await writeStream(createReadStream(blob.path, { highWaterMark: chunkBytes }), temp, {
      expected: blob,
      createFile,
      signal,
    });
  }
}

/** Writes a stream to a new file and checks it on the way. */
export async function writeStream(
  source: Readable,
  path: string,
  { expected, createFile, signal }: { expected: Expected; createFile: CreateFile; signal: AbortSignal },
): Promise<undefined> {
  let handle;
  try {
    handle = await createFile(path);
  } catch (error) {
    source.destroy();
    throw error;
  }
  await pipeline(source, verifyingStream(expected), handle.createWriteStream({ highWaterMark: chunkBytes }), {
    signal,
  });
}

/** Whether a file holds exactly what `expected` names, by reading it to its end; undefined where it does not exist. */
export async function matches(path: string, expected: Expected, signal: AbortSignal): Promise<boolean | undefined> {
  const opened = await openRegularFile(path);
  if (opened === undefined) return undefined;
  const { handle, file } = opened;
  try {
    if (file.size !== expected.size) return false;
    const verifier = new Verifier(expected);
    await readTo(handle, file.size, verifier, signal);
    verifier.finish();
    return true;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

/** Through one buffer: most files are small, and all of them are read at a start. */
async function readTo(handle: FileHandle, bytes: number, verifier: Verifier, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytes));
  for (let at = 0; at < bytes;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    verifier.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
