import { copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import { artifactFile, ownerDirectory } from "./artifact-path.ts";
import { findDirectory } from "./durable.ts";
import type { Owner } from "./store.ts";
import { hasErrno } from "../errors.ts";
import type { Digest } from "../oci/types.ts";

/** No hard links here, or none across these directories. */
const noLink = ["EXDEV", "EPERM", "EMLINK", "ENOSYS", "EOPNOTSUPP"];

/**
 * Puts a stored file at `to`, without its bytes being moved: stored files are never written to, so one may have several names.
 * False where it is not there any more.
 */
export async function reuse(root: string, owner: Owner, digest: Digest, to: string): Promise<boolean> {
  const directory = await findDirectory(root, ownerDirectory(owner));
  if (directory === undefined) return false;
  const from = join(directory, artifactFile(digest));
  try {
    await link(from, to).catch(async (error: unknown) => {
      if (!hasErrno(error, ...noLink)) throw error;
      await copyFile(from, to);
    });
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}
