import type { Readable } from "node:stream";
import { CodedError } from "../../errors.ts";
import type { Repository } from "../../oci/content.ts";
import { sha256Of, verifyingStream } from "../../oci/digest.ts";
import { isIndexType, isManifestType, ociIndexType, ociManifestType } from "../../oci/media-types.ts";
import { parseManifest } from "../../oci/schema.ts";
import type { Descriptor, Digest, Index, Manifest } from "../../oci/types.ts";

/** A repository made of bytes, which remembers what was fetched from it. */
export class MemoryRepository implements Repository {
  readonly name: string;
  /** Digests in the order in which they were asked for; a digest that was asked for twice stands there twice. */
  readonly fetched: Digest[] = [];
  readonly #contents = new Map<Digest, { readonly bytes: Buffer; readonly mediaType: string }>();
  readonly #tags = new Map<string, Digest>();

  constructor(name = "memory.test/repository") {
    this.name = name;
  }

  /** Adds a blob and returns its descriptor. */
  blob(content: string | Uint8Array, mediaType = "application/octet-stream"): Descriptor {
    const bytes = Buffer.from(content as Uint8Array);
    return this.put(sha256Of(bytes), bytes, mediaType);
  }

  /** Adds a manifest, or an index where `body` has `manifests`; `schemaVersion` and `mediaType` are filled in. */
  manifest(body: Readonly<Record<string, unknown>>, ...tags: readonly string[]): Descriptor {
    const mediaType =
      typeof body["mediaType"] === "string" ? body["mediaType"] : "manifests" in body ? ociIndexType : ociManifestType;
    const descriptor = this.blob(JSON.stringify({ schemaVersion: 2, mediaType, ...body }), mediaType);
    for (const tag of tags) this.#tags.set(tag, descriptor.digest);
    return descriptor;
  }

  /** Keeps `bytes` under a digest that need not be theirs; a wrong one fails when it is fetched. */
  put(digest: Digest, bytes: Buffer, mediaType: string): Descriptor {
    this.#contents.set(digest, { bytes, mediaType });
    return { mediaType, digest, size: bytes.length };
  }

  resolve(reference: string): Promise<Descriptor> {
    const digest = this.#tags.get(reference) ?? (reference as Digest);
    const found = this.#contents.get(digest);
    if (found === undefined) return Promise.reject(this.#notFound(reference));
    return Promise.resolve({ mediaType: found.mediaType, digest, size: found.bytes.length });
  }

  fetch(descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    this.fetched.push(descriptor.digest);
    const found = this.#contents.get(descriptor.digest);
    if (found === undefined) return Promise.reject(this.#notFound(descriptor.digest));
    const stream = verifyingStream(descriptor);
    stream.end(found.bytes);
    return Promise.resolve(stream);
  }

  async *tags(): AsyncGenerator<readonly string[]> {
    yield await Promise.resolve([...this.#tags.keys()]);
  }

  referrers(subject: Digest): Promise<readonly Descriptor[]> {
    const referrers = [...this.#contents].flatMap(([digest, { bytes, mediaType }]) => {
      if (!isManifestType(mediaType) && !isIndexType(mediaType)) return [];
      const body = parseManifest(bytes, mediaType, digest);
      return body.subject?.digest === subject ? [referrerOf({ mediaType, digest, size: bytes.length }, body)] : [];
    });
    return Promise.resolve(referrers);
  }

  #notFound(reference: string): CodedError {
    return new CodedError("NotFound", `${this.name} has no ${reference}`);
  }
}

/** distribution-spec v1.1, "Listing Referrers". */
function referrerOf(descriptor: Descriptor, body: Manifest | Index): Descriptor {
  const artifactType = body.artifactType ?? (body.kind === "manifest" ? body.config.mediaType : undefined);
  return {
    ...descriptor,
    ...(artifactType && { artifactType }),
    ...(body.annotations && { annotations: body.annotations }),
  };
}
