import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { LimitFunction } from "p-limit";
import { artifactFile, ownerDirectory } from "./artifact-path.ts";
import { findDirectory, type CreateFile } from "./durable.ts";
import type { Artifact, Owner, StoredVerdict } from "./publisher.ts";
import type { ArtifactRecord } from "./record.ts";
import type { RetentionPolicy } from "./retention.ts";
import { matches } from "./stage.ts";
import { readState } from "./state.ts";

/** What the parts of the storage share. */
export interface Storage {
  /** Absolute, without symlinks. */
  readonly root: string;
  readonly url: (path: string) => string;
  readonly retention: RetentionPolicy;
  readonly verifying: LimitFunction;
  readonly now: () => number;
  readonly createFile: CreateFile;
}

/** The artifact of a record, as consumers see it. */
export function artifactOf(storage: Storage, owner: Owner, record: ArtifactRecord): Artifact {
  const path = `${ownerDirectory(owner)}/${artifactFile(record.digest)}`;
  const { revision, digest, size, lastUpdateTime, metadata } = record;
  return { path, url: storage.url(path), revision, digest, size, lastUpdateTime, metadata };
}

export async function currentArtifact(storage: Storage, owner: Owner): Promise<Artifact | undefined> {
  const directory = await findDirectory(storage.root, ownerDirectory(owner));
  const state = directory === undefined ? undefined : await readState(directory);
  return state && artifactOf(storage, owner, state.current);
}

/** Whether the stored file is what the status of its owner says. */
export async function verifyArtifact(storage: Storage, owner: Owner, artifact: Artifact, signal: AbortSignal): Promise<StoredVerdict> {
  const stored = await currentArtifact(storage, owner);
  // The path of a status is compared, never joined.
  if (stored === undefined || stored.digest !== artifact.digest || stored.path !== artifact.path || stored.revision !== artifact.revision) return "missing";
  const path = join(storage.root, stored.path);
  return await storage.verifying(async () => {
    signal.throwIfAborted();
    const intact = await matches(path, artifact, signal);
    if (intact === undefined) return "missing";
    // Nobody should download what their own check will refuse.
    if (!intact) await rm(path, { force: true });
    return intact ? "ok" : "corrupt";
  });
}
