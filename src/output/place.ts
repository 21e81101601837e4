import { constants, lstatSync, mkdirSync, openSync, unlinkSync, type Stats } from "node:fs";
import { CodedError } from "../errors.ts";

const createOnly = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Opens a new file; one of that name is replaced, not overwritten: it may have another mode, or be a hard link to something else.
 * @throws ArchiveUnsafePath where something else than a file is in the way; what the file system throws
 */
export function createFile(path: string, executable: boolean): number {
  const mode = executable ? 0o755 : 0o644;
  try {
    return openSync(path, createOnly, mode);
  } catch (error) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw error;
    if (!found.isFile()) throw inTheWay(path, found, "file");
    unlinkSync(path);
    return openSync(path, createOnly, mode);
  }
}

/** Makes a directory unless it is there. @throws as `createFile` */
export function createDirectory(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw error;
    if (!found.isDirectory()) throw inTheWay(path, found, "directory");
  }
}

function inTheWay(path: string, found: Stats, wanted: string): CodedError {
  const what = found.isSymbolicLink()
    ? "is a symlink, which is not followed"
    : `is in the way, since a ${wanted} of that name is written`;
  return new CodedError("ArchiveUnsafePath", `${path} ${what}; remove it, or write to another directory`);
}
