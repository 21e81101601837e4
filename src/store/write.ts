import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseDigest } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { artifactFile, ownerDirectory } from "./artifact-path.ts";
import { ensureDirectory, placeFile, syncDirectory, type Fill } from "./durable.ts";
import { fluxContentType, imageAnnotations } from "./image-manifest.ts";
import type { Artifact, ImageForm, Owner, PublishRequest, RestoreRequest } from "./store.ts";
import type { ArtifactRecord, OwnerState, RecordedImage } from "./record.ts";
import { retain } from "./retention.ts";
import { matches, takeStaged, writeStream } from "./stage.ts";
import { listFiles, readState } from "./state.ts";
import { artifactOf, isThere, type Storage } from "./stored-artifact.ts";

/** See `ArtifactStore.publish`. */
export async function publish(storage: Storage, request: PublishRequest, signal: AbortSignal): Promise<Artifact> {
  const { owner, blob, revision, metadata } = request;
  const { contentDigest } = blob;
  signal.throwIfAborted();
  const place = await openPlace(storage, owner);
  const { directory, before } = place;
  const like = sameContent(before, request);
  const kept = like !== undefined && like.digest !== blob.digest && (await isThere(directory, like)) ? like : undefined;
  const { digest, size } = kept ?? blob;
  const { made } = request;
  const image = like?.image ?? {
    ...recordedForm(request.owner, request.image),
    annotations: imageAnnotations(owner, metadata, contentDigest),
  };
  const isStaged = kept === undefined && "path" in blob;
  const fill = isStaged ? (temp: string) => takeStaged(blob, temp, storage.createFile, signal) : undefined;
  const record = { digest, size, contentDigest, revision, metadata, image, ...(made && { made }) };
  return artifactOf(
    storage,
    owner,
    await store(storage, { ...place, record, fill, signal, keep: request.keep, uid: request.uid }),
  );
}

/** Puts back what `status.artifact` says was stored, as if nothing had happened. */
export async function restore(storage: Storage, request: RestoreRequest, signal: AbortSignal): Promise<Artifact> {
  const { owner, artifact } = request;
  signal.throwIfAborted();
  const place = await openPlace(storage, owner);
  const { digest, size, revision, lastUpdateTime, metadata = {} } = artifact;
  const contentDigest = parseDigest(revision.slice(revision.indexOf("@") + 1));
  const image = { ...recordedForm(owner, request.image), annotations: request.image.annotations };
  const record = { digest, size, contentDigest, revision, metadata, image, lastUpdateTime };
  const fill: Fill = async (temp) =>
    await writeStream(await request.open(), temp, { expected: artifact, createFile: storage.createFile, signal });
  const stored = await store(storage, { ...place, record, fill, signal, uid: request.uid });
  return artifactOf(storage, owner, stored);
}

/** Where the files of an owner are, and its state so far. */
interface Place {
  readonly directory: string;
  /** Nothing can be in it yet. */
  readonly isNew: boolean;
  readonly before: OwnerState | undefined;
}

async function openPlace({ directories, states }: Storage, owner: Owner): Promise<Place> {
  const known = await states.remembered(owner);
  if (known) return { directory: known.directory, isNew: false, before: known.state };
  const { directory, isNew } = await ensureDirectory(directories, ownerDirectory(owner));
  return { directory, isNew, before: isNew ? undefined : await states.read(directory) };
}

interface Storing extends Place {
  readonly record: Omit<ArtifactRecord, "lastUpdateTime"> & { readonly lastUpdateTime?: string };
  /** Makes the file; undefined where it is there and known to be good. */
  readonly fill: Fill | undefined;
  readonly signal: AbortSignal;
  readonly keep?: readonly Digest[] | undefined;
  readonly uid: string | undefined;
}

/** First the file, then the state that points at it, then what nobody points at any more is deleted. */
async function store(
  storage: Storage,
  { directory, isNew, before, record, fill, signal, keep = [], uid }: Storing,
): Promise<ArtifactRecord> {
  const path = join(directory, artifactFile(record.digest));
  const placed = fill !== undefined && (isNew || (await matches(path, record, signal)) !== true);
  if (placed) await placeFile(path, fill);
  const current = { ...record, lastUpdateTime: record.lastUpdateTime ?? updateTime(before, record, storage.now()) };
  try {
    await point({ ...storage, retention: { ...storage.retention, keep } }, { directory, before, current, uid });
  } catch (error) {
    if (placed && !(await isNamed(directory, record.digest))) await rm(path, { force: true }).catch(() => {});
    throw error;
  }
  return current;
}

/** Whether the state on disk names a file; also where that cannot be told. */
async function isNamed(directory: string, digest: Digest): Promise<boolean> {
  try {
    const state = await readState(directory);
    return state !== undefined && [state.current, ...state.superseded].some((record) => record.digest === digest);
  } catch {
    return true;
  }
}

/** Makes `current` what `latest.tar.gz` stands for. */
async function point(
  storage: Storage,
  {
    directory,
    before,
    current,
    uid = before?.uid,
  }: Pick<Storing, "directory" | "before" | "uid"> & { readonly current: ArtifactRecord },
): Promise<void> {
  if (before !== undefined && before.uid === uid && JSON.stringify(before.current) === JSON.stringify(current))
    return await syncDirectory(directory);
  const now = storage.now();
  const next = { ...succeed(before, current, now), ...(uid !== undefined && { uid }) };
  const files = before === undefined ? [] : await listFiles(directory, next);
  const { state, expired } = retain(next, files, storage.retention, now);
  await storage.states.write(directory, state, storage.createFile);
  // One flush for both renames: should only the second survive a power cut, the file counts as missing and is made again.
  await syncDirectory(directory);
  await removeFiles(directory, expired);
}

function succeed(before: OwnerState | undefined, current: ArtifactRecord, nowMs: number): OwnerState {
  const superseded = (before?.superseded ?? []).filter(({ digest }) => digest !== current.digest);
  const replaced =
    before !== undefined && before.current.digest !== current.digest
      ? [{ ...before.current, supersededAt: new Date(nowMs).toISOString() }]
      : [];
  return { version: 1, current, superseded: [...replaced, ...superseded] };
}

/** Consumers see a change when the revision or the bytes change, not when something is merely said of them. */
function updateTime(
  before: OwnerState | undefined,
  record: { digest: Digest; revision: string },
  nowMs: number,
): string {
  const same = before?.current.digest === record.digest && before.current.revision === record.revision;
  return same ? before.current.lastUpdateTime : new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * The current record, where it has the content that is to be published: gzip output differs between zlib builds, and other
 * bytes or another OCI manifest for equal content would make every consumer act for nothing.
 */
function sameContent(
  before: OwnerState | undefined,
  { owner, blob, image }: PublishRequest,
): ArtifactRecord | undefined {
  const current = before?.current;
  return current?.contentDigest === blob.contentDigest && sameForm(current.image, recordedForm(owner, image))
    ? current
    : undefined;
}

type RecordedForm = Omit<RecordedImage, "annotations">;

function recordedForm(
  owner: Owner,
  { layerMediaType = fluxContentType, layerTitle = `${owner.name}.tar.gz`, config: given }: Partial<ImageForm> = {},
): RecordedForm {
  const config = given && { mediaType: given.mediaType, content: Buffer.from(given.bytes).toString("base64") };
  return { layerMediaType, layerTitle, ...(config && { config }) };
}

function sameForm(a: RecordedForm, b: RecordedForm): boolean {
  return (
    a.layerMediaType === b.layerMediaType &&
    a.layerTitle === b.layerTitle &&
    a.config?.mediaType === b.config?.mediaType &&
    a.config?.content === b.config?.content
  );
}

/** Deletes superseded files by age and number. */
export async function collect(storage: Storage, owner: Owner): Promise<void> {
  const stored = await storage.states.find(owner);
  if (stored === undefined) return;
  const { directory, state: before } = stored;
  const { state, expired } = retain(before, await listFiles(directory, before), storage.retention, storage.now());
  if (state !== before) {
    await storage.states.write(directory, state, storage.createFile);
    await syncDirectory(directory);
  }
  await removeFiles(directory, expired);
}

/** What cannot be deleted now is tried again the next time. */
async function removeFiles(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(directory, name), { force: true }).catch(() => {});
}
