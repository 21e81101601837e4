import { isAbsence } from "../oci/absence.ts";
import type { Repository, WritableRepository } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import { fetchAll, parseDocument } from "../oci/fetch-all.ts";
import { ociManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest, Manifest } from "../oci/types.ts";
import { parseJsonObject } from "../text/json.ts";
import { isFinding } from "../verify/findings.ts";
import { bytesFrom, fetchLater } from "./transfer.ts";

/** Which referrer of upstream's a copy is of. */
export const copiedFromKey = "source.strata.dev/copied-from";

/** More than people attach to one manifest, and no more than a push should have to wait for. */
export const referrerLimits = Object.freeze({
  maxReferrers: 32,
  maxManifestBytes: 256 * 1024,
  maxBytes: 64 * 1024 * 1024,
  maxTotalBytes: 256 * 1024 * 1024,
});

export interface ReferrersCopy {
  readonly source: Repository;
  /** What they refer to in the source. */
  readonly subjects: readonly Digest[];
  readonly target: WritableRepository;
  /** What they are to refer to in the target. */
  readonly subject: Descriptor;
  /** Name of the source's repository where the target is on the same registry: blobs are mounted from it. */
  readonly mountFrom: string | undefined;
  /** Annotations of the copies: whose they are. */
  readonly marks: Annotations;
}

/** How many were left out, for their number, their size or their form. */
export interface CopiedReferrers {
  readonly leftOut: number;
}

/**
 * Attaches to `subject` what is attached to upstream's manifests: the same blobs, in manifests that name another subject.
 * What was copied before is not copied again. What cannot be copied is counted, and does not keep the others back.
 *
 * @throws what the repositories throw
 */
export async function copyReferrers(job: ReferrersCopy, signal: AbortSignal): Promise<CopiedReferrers> {
  const { source, subjects, target, subject } = job;
  const there = await target.referrers(subject.digest, signal);
  const known = new Set(there.flatMap(({ annotations }) => annotations?.[copiedFromKey] ?? []));
  let [seen, leftOut, left] = [0, 0, referrerLimits.maxTotalBytes];
  for (const of of subjects) {
    for (const listed of await source.referrers(of, signal)) {
      if (known.has(listed.digest)) continue;
      known.add(listed.digest);
      const isTooMany = ++seen > referrerLimits.maxReferrers;
      const taken = isTooMany ? undefined : await copyOne(job, { listed, of, left }, signal);
      if (taken === undefined) leftOut++;
      left -= taken ?? 0;
    }
  }
  return { leftOut };
}

/** @returns how many bytes it has, or undefined where it is not copied */
async function copyOne(
  job: ReferrersCopy,
  { listed, of, left }: { readonly listed: Descriptor; readonly of: Digest; readonly left: number },
  signal: AbortSignal,
): Promise<number | undefined> {
  const found = await read(job.source, listed, signal);
  if (found === undefined || found.manifest.subject?.digest !== of) return undefined;
  const blobs = [found.manifest.config, ...found.manifest.layers];
  const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
  if (size > Math.min(referrerLimits.maxBytes, left)) return undefined;
  const { mediaType, digest } = job.subject;
  const { annotations } = found.manifest;
  const bytes = Buffer.from(
    JSON.stringify({
      ...parseJsonObject(found.bytes),
      mediaType: ociManifestType,
      subject: { mediaType, digest, size: job.subject.size },
      annotations: { ...annotations, ...job.marks, [copiedFromKey]: listed.digest },
    }),
  );
  const copy = { mediaType: ociManifestType, digest: sha256Of(bytes), size: bytes.length };
  if (await job.target.exists(copy, signal)) return size;
  for (const blob of blobs) await copyBlob(job, blob, signal);
  await job.target.pushManifest(copy, bytes, copy.digest, signal);
  return size;
}

/** Undefined for what no copy can be made of: an index, a manifest that is too large or gone. */
async function read(
  source: Repository,
  listed: Descriptor,
  signal: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly manifest: Manifest } | undefined> {
  try {
    const bytes = await fetchAll(source, listed, referrerLimits.maxManifestBytes, signal);
    const manifest = parseDocument(bytes, listed, listed.digest);
    return manifest.kind === "manifest" ? { bytes, manifest } : undefined;
  } catch (error) {
    if (!signal.aborted && (isFinding(error) || isAbsence(error))) return undefined;
    throw error;
  }
}

async function copyBlob({ source, target, mountFrom }: ReferrersCopy, blob: Descriptor, signal: AbortSignal) {
  if (await target.exists(blob, signal)) return;
  if (mountFrom !== undefined && (await target.mount(blob, mountFrom, signal))) return;
  const { data } = blob;
  await target.pushBlob(
    blob,
    (offset) =>
      data === undefined ? fetchLater(source, blob, offset, signal) : bytesFrom(Buffer.from(data, "base64"), offset),
    signal,
  );
}
