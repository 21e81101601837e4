import pLimit from "p-limit";
import { CodedError, codeOf } from "../errors.ts";
import { resolveOptional } from "../oci/absence.ts";
import type { WritableRepository } from "../oci/content.ts";
import { isDigest } from "../oci/digest.ts";
import type { Limits } from "../oci/limits.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { legacyTag } from "../verify/cosign/legacy.ts";
import { bytesFrom, counted, fetchDocument, fetchLater, type StoredDocument } from "./transfer.ts";

/** Blobs under way at once. */
const parallelBlobs = 4;

export interface CopyOptions {
  readonly source: WritableRepository;
  readonly target: WritableRepository;
  /** An image layout holds the parts of an index as blobs; its index.json lists only what was asked for. */
  readonly targetIsLayout: boolean;
  /** Name of the source's repository where the target is on the same registry: blobs are mounted from it. */
  readonly mountFrom: string | undefined;
  /** Signatures, SBOMs and whatever else refers to what is copied. */
  readonly referrers: boolean;
  readonly limits: Limits;
  readonly onBytes?: ((descriptor: Descriptor, bytes: number) => void) | undefined;
}

export interface CopyCounts {
  manifests: number;
  blobs: number;
  /** Blobs that the target had already. */
  present: number;
  mounted: number;
  referrers: number;
  /** Bytes of blobs that were transferred. */
  bytes: number;
  /** Layers that may not be redistributed, and that the source does not hold. */
  undistributable: number;
}

/** Before anything is copied. */
export function noCounts(): CopyCounts {
  return {
    manifests: 0,
    blobs: 0,
    present: 0,
    mounted: 0,
    referrers: 0,
    bytes: 0,
    undistributable: 0,
  };
}

/**
 * Copies a manifest or index with everything below it, children before parents: what a tag of the target names is always
 * complete. Nothing is decoded or held but manifests.
 *
 * Errors: NotFound, IndexTooDeep, TooManyManifests, DigestMismatch, …
 */
export class GraphCopy {
  readonly counts = noCounts();
  readonly #options: CopyOptions;
  readonly #manifests = new Set<Digest>();
  readonly #blobs = new Set<Digest>();
  readonly #limit = pLimit(parallelBlobs);

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** @param tag to set on the copy; undefined leaves it without one */
  async copy(root: Descriptor, tag: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#manifest(root, { depth: 0, reference: root.digest }, signal);
    // Last: whoever follows the tag finds the signatures too.
    if (tag !== undefined) await this.#put(await fetchDocument(this.#options.source, root, signal), tag, signal);
  }

  async #manifest(
    descriptor: Descriptor,
    at: { depth: number; reference?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { source, limits } = this.#options;
    if (this.#manifests.has(descriptor.digest)) return;
    this.#manifests.add(descriptor.digest);
    this.counts.manifests += 1;
    if (at.depth > limits.maxIndexDepth)
      throw new CodedError(
        "IndexTooDeep",
        `${source.name}@${descriptor.digest} is ${at.depth} levels deep; at most ${limits.maxIndexDepth} are copied`,
      );
    if (this.#manifests.size > limits.maxManifests)
      throw new CodedError("TooManyManifests", `${source.name} has more than ${limits.maxManifests} manifests to copy`);
    const document = await fetchDocument(source, descriptor, signal);
    const { content } = document;
    if (content.kind === "index") {
      for (const child of content.manifests) await this.#child(child, at.depth + 1, signal);
    } else {
      await this.#blobsOf([content.config, ...content.layers], signal);
    }
    await this.#put(document, at.reference, signal);
    if (this.#options.referrers) await this.#referrersOf(descriptor, at.depth + 1, signal);
  }

  /** An index may name blobs too. */
  async #child(child: Descriptor, depth: number, signal: AbortSignal): Promise<void> {
    if (isManifestType(child.mediaType) || isIndexType(child.mediaType)) await this.#manifest(child, { depth }, signal);
    else await this.#blobsOf([child], signal);
  }

  /** @param reference a tag or the digest itself; undefined for what only its parent names */
  async #put({ descriptor, bytes }: StoredDocument, reference: string | undefined, signal: AbortSignal): Promise<void> {
    const { target, targetIsLayout } = this.#options;
    if (reference === undefined && targetIsLayout)
      await target.pushBlob(descriptor, (offset) => bytesFrom(bytes, offset), signal);
    else if (!(await this.#isThere(descriptor, reference, signal)))
      await target.pushManifest(descriptor, bytes, reference ?? descriptor.digest, signal);
  }

  async #isThere(descriptor: Descriptor, reference: string | undefined, signal: AbortSignal): Promise<boolean> {
    const { target, targetIsLayout } = this.#options;
    if (reference !== undefined && !isDigest(reference))
      return (await resolveOptional(target, reference, signal))?.digest === descriptor.digest;
    // In a layout the blob may be there without an entry in index.json.
    return !targetIsLayout && (await target.exists(descriptor, signal));
  }

  async #blobsOf(descriptors: readonly Descriptor[], signal: AbortSignal): Promise<void> {
    const fresh = descriptors.filter(({ digest }) => !this.#blobs.has(digest) && this.#blobs.add(digest));
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const work = fresh.map(async (descriptor) => {
      await this.#limit(async () => await this.#blob(descriptor, either));
    });
    try {
      await Promise.all(work);
    } catch (error) {
      // The others would go on in the background.
      failed.abort();
      await Promise.allSettled(work);
      throw error;
    }
  }

  async #blob(descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const { target, mountFrom } = this.#options;
    this.counts.blobs += 1;
    if (await target.exists(descriptor, signal)) this.counts.present += 1;
    else if (mountFrom !== undefined && (await target.mount(descriptor, mountFrom, signal))) this.counts.mounted += 1;
    else await this.#send(descriptor, signal);
  }

  async #send(descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const { source, target, onBytes } = this.#options;
    const open = (offset: number) =>
      counted(fetchLater(source, descriptor, offset, signal), (bytes) => onBytes?.(descriptor, bytes));
    try {
      await target.pushBlob(descriptor, open, signal);
      this.counts.bytes += descriptor.size;
    } catch (error) {
      const isForeign = /\b(?:foreign|nondistributable)\b/.test(descriptor.mediaType);
      if (!isForeign || codeOf(error) !== "NotFound") throw error;
      this.counts.undistributable += 1;
    }
  }

  async #referrersOf(subject: Descriptor, depth: number, signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    for (const { mediaType, digest, size, isHint } of await source.referrers(subject.digest, signal)) {
      if (this.#manifests.has(digest)) continue;
      this.counts.referrers += 1;
      const listed = { mediaType, digest, size, ...(isHint && { isHint }) };
      await this.#manifest(listed, { depth, reference: digest }, signal);
    }
    for (const tag of cosignTags(subject.digest)) {
      const found = await resolveOptional(source, tag, signal);
      if (found === undefined) continue;
      if (!this.#manifests.has(found.digest)) this.counts.referrers += 1;
      await this.#manifest(found, { depth, reference: found.digest }, signal);
      await this.#put(await fetchDocument(source, found, signal), tag, signal);
    }
  }
}

/** cosign's older signatures, attestations and SBOMs refer by tag. */
function cosignTags(digest: Digest): string[] {
  const signature = legacyTag(digest);
  return signature === undefined
    ? []
    : [signature, signature.replace(/\.sig$/, ".att"), signature.replace(/\.sig$/, ".sbom")];
}
