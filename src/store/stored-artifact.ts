import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifactFile, ownerDirectory } from "./artifact-path.ts";
import type { CreateFile, Directories } from "./durable.ts";
import type { OwnerStates } from "./owner-states.ts";
import type { Artifact, Known, KnownRequest, Owner, StoredVerdict } from "./store.ts";
import type { ArtifactRecord } from "./record.ts";
import type { ReadInTurn } from "./reading-turns.ts";
import type { RetentionPolicy } from "./retention.ts";
import { matches } from "./stage.ts";
import { hasErrno } from "../errors.ts";

/** What the parts of the storage share. */
export interface Storage {
  /** Absolute, without symlinks. */
  readonly root: string;
  readonly directories: Directories;
  readonly states: OwnerStates;
  readonly url: (path: string) => string;
  readonly retention: RetentionPolicy;
  readonly readInTurn: ReadInTurn;
  readonly now: () => number;
  readonly createFile: CreateFile;
}

/** The artifact of a record, as consumers see it. */
export function artifactOf(storage: Storage, owner: Owner, record: ArtifactRecord): Artifact {
  const path = `${ownerDirectory(owner)}/${artifactFile(record.digest)}`;
  const { revision, digest, size, lastUpdateTime, metadata } = record;
  return { path, url: storage.url(path), revision, digest, size, lastUpdateTime, metadata };
}

/**
 * The artifact that an owner's state names; undefined where there is none. Its file may be gone. @throws StorageFailed
 */
export async function currentArtifact(storage: Storage, owner: Owner): Promise<Artifact | undefined> {
  const stored = await storage.states.find(owner);
  return stored && artifactOf(storage, owner, stored.state.current);
}

/** Whether the stored file is what the status of its owner says. */
export async function verifyArtifact(
  storage: Storage,
  owner: Owner,
  artifact: Artifact,
  signal: AbortSignal,
): Promise<StoredVerdict> {
  if (!(await isCurrent(storage, owner, artifact))) return "missing";
  return await verifyFile(storage, join(storage.root, ownerDirectory(owner)), artifact, signal);
}

async function verifyFile(
  { readInTurn }: Storage,
  directory: string,
  file: Pick<ArtifactRecord, "digest" | "size">,
  signal: AbortSignal,
): Promise<StoredVerdict> {
  const path = join(directory, artifactFile(file.digest));
  return await readInTurn(file.size, async () => {
    signal.throwIfAborted();
    const intact = await matches(path, file, signal);
    if (intact === undefined) return "missing";
    // Nobody should download what their own check will refuse.
    if (!intact) await rm(path, { force: true });
    return intact ? "ok" : "corrupt";
  });
}

/** What was made by one of the recipes, the current artifact or one that is kept for a while, where its file is whole. */
export async function knownContent(
  storage: Storage,
  { owner, uid, recipes, isIntact }: KnownRequest,
  signal: AbortSignal,
): Promise<Known | undefined> {
  const stored = await storage.states.find(owner);
  if (stored?.state.uid !== uid) return undefined;
  const { directory, state } = stored;
  for (const { made, digest, size, contentDigest } of [state.current, ...state.superseded]) {
    if (made === undefined || !recipes.includes(made.recipe)) continue;
    const file = { digest, size };
    const isWhole = isIntact(digest)
      ? await isThere(directory, file)
      : (await verifyFile(storage, directory, file, signal)) === "ok";
    if (isWhole) return { made, blob: { ...file, contentDigest, verbatim: made.verbatim } };
  }
  return undefined;
}

/** The same without reading the file: whether it is there, in its size. */
export async function hasArtifact(storage: Storage, owner: Owner, artifact: Artifact): Promise<boolean> {
  return (
    (await isCurrent(storage, owner, artifact)) && (await isThere(join(storage.root, ownerDirectory(owner)), artifact))
  );
}

async function isCurrent(storage: Storage, owner: Owner, { digest, path, revision }: Artifact): Promise<boolean> {
  const stored = await currentArtifact(storage, owner);
  // The path of a status is compared, never joined.
  return stored !== undefined && stored.digest === digest && stored.path === path && stored.revision === revision;
}

/** Whether the file is there in its size; it is not read. @throws what the file system refuses */
export async function isThere(
  directory: string,
  { digest, size }: Pick<ArtifactRecord, "digest" | "size">,
): Promise<boolean> {
  try {
    return (await lstat(join(directory, artifactFile(digest)))).size === size;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}
