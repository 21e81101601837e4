import { randomBytes } from "node:crypto";
import { lstat, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ownerOfDirectory } from "./artifact-path.ts";
import { findDirectory, isTempName, syncDirectory, type Directories } from "./durable.ts";
import type { Owner } from "./store.ts";
import { hasErrno } from "../errors.ts";
import { namesIn, readState } from "./state.ts";

/** Where a directory is put before it is deleted, so that none is ever seen half deleted. */
const removedPrefix = ".removed-";

/**
 * Deletes the directory of an owner, and the namespace's where it was the last.
 * @param isMeant asked with the uid of the object that it was stored for, where that is known
 */
export async function removeOwner(
  { root, seen }: Pick<Directories, "root" | "seen">,
  relative: string,
  isMeant: (uid: string | undefined) => boolean,
): Promise<void> {
  const directory = await findDirectory(root, relative, seen);
  if (directory === undefined || !isMeant((await readState(directory))?.uid)) return;
  const parent = dirname(directory);
  const doomed = join(parent, `${removedPrefix}${randomBytes(8).toString("hex")}`);
  await rename(directory, doomed);
  await syncDirectory(parent);
  await rm(doomed, { recursive: true, force: true });
  await removeIfEmpty(parent);
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    // Another owner may just be moving in.
    if (!hasErrno(error, "ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY")) throw error;
  }
}

/** Removes temporary files and half deleted directories of a process that was killed. */
export async function sweep(root: string, signal: AbortSignal): Promise<void> {
  for (const namespace of await namespaceDirectories(root)) {
    for (const name of await namesIn(join(root, namespace))) {
      signal.throwIfAborted();
      const path = join(root, namespace, name);
      if (name.startsWith(removedPrefix)) await rm(path, { recursive: true, force: true });
      else if (ownerOfDirectory(`${namespace}/${name}`) !== undefined && (await isDirectory(path)))
        await removeTemps(path);
    }
  }
}

async function removeTemps(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (isTempName(name)) await rm(join(directory, name), { force: true });
  }
}

/** Everybody who has a directory. What is not of our making (lost+found, somebody's notes) is passed over. */
export async function storedOwners(root: string, signal: AbortSignal): Promise<Owner[]> {
  const owners: Owner[] = [];
  for (const namespace of await namespaceDirectories(root)) {
    for (const name of await namesIn(join(root, namespace))) {
      signal.throwIfAborted();
      const directory = `${namespace}/${name}`;
      const owner = ownerOfDirectory(directory);
      if (owner !== undefined && (await isDirectory(join(root, directory)))) owners.push(owner);
    }
  }
  return owners;
}

/** `<kind>/<namespace>` of everything that may be ours. */
async function namespaceDirectories(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const kind of await namesIn(root)) {
    if (!(await isDirectory(join(root, kind)))) continue;
    const namespaces = (await namesIn(join(root, kind))).map((namespace) => `${kind}/${namespace}`);
    for (const namespace of namespaces) {
      // A name stands in for those below.
      if (ownerOfDirectory(`${namespace}/x`) !== undefined && (await isDirectory(join(root, namespace))))
        found.push(namespace);
    }
  }
  return found;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}
