import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { Annotations, Descriptor, Digest } from "../../oci/types.ts";

/** Bytes that can be read from any offset: in memory, or in a file too large for it. */
export interface Content {
  readonly size: number;
  /** @param end exclusive */
  open(start: number, end: number): Readable;
}

export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** An artifact to make up: bytes are stored as blobs, and the manifest is built around them. */
export interface ArtifactSpec {
  readonly tag?: string;
  readonly artifactType?: string;
  /** Default: the empty descriptor of the image-spec. */
  readonly config?: { readonly mediaType: string; readonly bytes: Uint8Array };
  readonly layers?: readonly {
    readonly mediaType: string;
    readonly bytes: Uint8Array;
    readonly annotations?: Annotations;
  }[];
  readonly annotations?: Annotations;
  readonly subject?: Descriptor;
}

interface Repository {
  readonly manifests: Map<Digest, StoredManifest>;
  readonly blobs: Map<Digest, Content>;
  readonly tags: Map<string, Digest>;
}

export const digestOf = (bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): Digest =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

export function memoryContent(bytes: Buffer): Content {
  return { size: bytes.length, open: (start, end) => Readable.from(chunked(bytes.subarray(start, end))) };
}

export function fileContent(path: string, size: number): Content {
  return {
    size,
    open: (start, end) =>
      start >= end ? Readable.from([]) : createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 }),
  };
}

function* chunked(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** What a registry holds; several servers may share one store, as a registry and its CDN do. */
export class RegistryStore {
  readonly repositories = new Map<string, Repository>();

  repository(name: string): Repository {
    let found = this.repositories.get(name);
    if (!found) {
      found = { manifests: new Map(), blobs: new Map(), tags: new Map() };
      this.repositories.set(name, found);
    }
    return found;
  }

  /** Whether anything was ever pushed to it: to ask for it does not make it. */
  knows(name: string): boolean {
    const found = this.repositories.get(name);
    return found !== undefined && found.manifests.size + found.blobs.size > 0;
  }

  putBlob(repository: string, bytes: Uint8Array, mediaType = "application/octet-stream"): Descriptor {
    const digest = digestOf(bytes);
    this.repository(repository).blobs.set(digest, memoryContent(Buffer.from(bytes)));
    return { mediaType, digest, size: bytes.length };
  }

  /** Stores `manifest`, an object or exact bytes, and points `tag` at it. */
  putManifest(
    repository: string,
    manifest: object | Uint8Array,
    options: { tag?: string; mediaType?: string } = {},
  ): Descriptor {
    const bytes = manifest instanceof Uint8Array ? Buffer.from(manifest) : Buffer.from(JSON.stringify(manifest));
    const mediaType = options.mediaType ?? (JSON.parse(bytes.toString("utf8")) as { mediaType: string }).mediaType;
    const digest = digestOf(bytes);
    const { manifests, tags } = this.repository(repository);
    manifests.set(digest, { mediaType, bytes });
    if (options.tag) tags.set(options.tag, digest);
    return { mediaType, digest, size: bytes.length };
  }

  /** Stores an image manifest with its blobs, and points `tag` at it. */
  putArtifact(repository: string, spec: ArtifactSpec): Descriptor {
    const {
      tag,
      config = { mediaType: "application/vnd.oci.empty.v1+json", bytes: Buffer.from("{}") },
      layers = [],
      ...rest
    } = spec;
    const blobs = layers.map(({ mediaType, bytes, annotations }) => {
      const blob = this.putBlob(repository, bytes, mediaType);
      return annotations ? Object.assign(blob, { annotations }) : blob;
    });
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: this.putBlob(repository, config.bytes, config.mediaType),
      layers: blobs,
      ...rest,
    };
    return this.putManifest(repository, manifest, { mediaType, ...(tag !== undefined && { tag }) });
  }

  /** Stores an image index over manifests that are already there, and points `tag` at it. */
  putIndex(
    repository: string,
    manifests: readonly Descriptor[],
    options: { tag?: string; artifactType?: string } = {},
  ): Descriptor {
    const { tag, ...rest } = options;
    const mediaType = "application/vnd.oci.image.index.v1+json";
    return this.putManifest(
      repository,
      { schemaVersion: 2, mediaType, manifests, ...rest },
      { ...(tag !== undefined && { tag }) },
    );
  }

  /** The manifest a tag or digest names. */
  manifest(repository: string, reference: string): { digest: Digest; stored: StoredManifest } | undefined {
    const { manifests, tags } = this.repository(repository);
    const digest = reference.includes(":") ? (reference as Digest) : tags.get(reference);
    const stored = digest && manifests.get(digest);
    return digest && stored ? { digest, stored } : undefined;
  }

  /** distribution-spec v1.1, "Listing Referrers". */
  referrers(repository: string, subject: string): Descriptor[] {
    const found: Descriptor[] = [];
    for (const [digest, { bytes, mediaType }] of this.repository(repository).manifests) {
      const manifest = JSON.parse(bytes.toString("utf8")) as {
        subject?: Descriptor;
        artifactType?: string;
        config?: Descriptor;
        annotations?: Record<string, string>;
      };
      if (manifest.subject?.digest !== subject) continue;
      const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
      const { annotations } = manifest;
      found.push({
        mediaType,
        digest,
        size: bytes.length,
        ...(artifactType && { artifactType }),
        ...(annotations && { annotations }),
      });
    }
    return found;
  }
}
