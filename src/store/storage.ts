import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { makeDirectory } from "../disk/make-directory.ts";
import { latestName, ownerDirectory } from "./artifact-path.ts";
import { removeOwner, storedOwners, sweep } from "./cleanup.ts";
import { createFile, storageError, syncDirectory, type CreateFile } from "./durable.ts";
import { collect, publish, restore } from "./write.ts";
import type { ArtifactStore, Owner, StoredImage } from "./store.ts";
import { OwnerStates } from "./owner-states.ts";
import type { RetentionPolicy } from "./retention.ts";
import { readingTurns } from "./reading-turns.ts";
import { reuse } from "./reuse.ts";
import { currentArtifact, hasArtifact, knownContent, verifyArtifact, type Storage } from "./stored-artifact.ts";
import { SharedSyncs } from "./shared-syncs.ts";
import { storedImages } from "./stored-image.ts";

export interface StorageOptions {
  /** Made where it does not exist. */
  readonly root: string;
  /** `host[:port]` that consumers reach the artifact server at; may carry `http://` or `https://`. */
  readonly advertisedAddress: string;
  readonly retention: RetentionPolicy;
  /** How many files are read at once by `verify`. */
  readonly verifyConcurrency: number;
  readonly now?: () => number;
  readonly createFile?: CreateFile;
}

/** @throws StorageFailed where the root cannot be made or read */
export async function openStorage(options: StorageOptions): Promise<ArtifactStore> {
  const storage = await guarded("opening the storage", () => prepare(options));
  return {
    publish: (request, signal) => guarded(`storing ${request.blob.digest}`, () => publish(storage, request, signal)),
    known: (request, signal) =>
      guarded(`looking through ${nameOf(request.owner)}`, () => knownContent(storage, request, signal)),
    reuse: (owner, digest, to) => guarded(`reusing ${digest}`, () => reuse(storage.root, owner, digest, to)),
    restore: (request, signal) =>
      guarded(`restoring ${request.artifact.digest}`, () => restore(storage, request, signal)),
    verify: (owner, artifact, signal) =>
      guarded(`verifying ${artifact.digest}`, () => verifyArtifact(storage, owner, artifact, signal)),
    has: (owner, artifact) => guarded(`looking for ${artifact.digest}`, () => hasArtifact(storage, owner, artifact)),
    current: (owner) => guarded(`reading ${nameOf(owner)}`, () => currentArtifact(storage, owner)),
    image: (owner) => guarded(`reading ${nameOf(owner)}`, () => currentImage(storage.root, owner)),
    collect: (owner) => guarded(`cleaning up ${nameOf(owner)}`, () => collect(storage, owner)),
    remove: (owner, uid) =>
      removal(storage, owner, (stored) => uid === undefined || stored === undefined || stored === uid),
    removeOther: (owner, uid) => removal(storage, owner, (stored) => stored !== undefined && stored !== uid),
    sweep: (signal) => guarded("cleaning up the storage", () => sweep(storage.root, signal)),
    owners: (signal) => guarded("listing the storage", () => storedOwners(storage.root, signal)),
    url: storage.url,
    latestUrl: (owner) => storage.url(`${ownerDirectory(owner)}/${latestName}`),
  };
}

function removal({ directories }: Storage, owner: Owner, isMeant: (uid: string | undefined) => boolean): Promise<void> {
  const relative = ownerDirectory(owner);
  return guarded(`removing ${nameOf(owner)}`, () => removeOwner(directories, relative, isMeant));
}

async function currentImage(root: string, owner: Owner): Promise<StoredImage | undefined> {
  const [stored] = await storedImages(root, ownerDirectory(owner));
  return (
    stored && {
      image: stored.image,
      tag: stored.tag,
      openLayer: (start) => createReadStream(stored.layerPath, { start, highWaterMark: 256 * 1024 }),
    }
  );
}

async function prepare(options: StorageOptions): Promise<Storage> {
  await makeDirectory(options.root);
  const address = options.advertisedAddress.replace(/\/+$/, "");
  const base = /^https?:\/\//.test(address) ? address : `http://${address}`;
  const root = await realpath(options.root);
  const syncs = new SharedSyncs(syncDirectory);
  const directories = { root, seen: new Set<string>(), sync: (directory: string) => syncs.sync(directory) };
  return {
    root,
    directories,
    states: new OwnerStates(directories),
    url: (path) => `${base}/${path}`,
    retention: options.retention,
    readInTurn: readingTurns(options.verifyConcurrency),
    now: options.now ?? Date.now,
    createFile: options.createFile ?? createFile,
  };
}

const nameOf = (owner: Owner): string => `the artifact of ${owner.kind} ${owner.namespace}/${owner.name}`;

async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, what);
  }
}
