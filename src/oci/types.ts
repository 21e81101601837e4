/** `sha256:<64 hex>` or `sha512:<128 hex>`; made only by `parseDigest`. */
export type Digest = `${"sha256" | "sha512"}:${string}`;

/** Annotations of a descriptor, manifest or index (OCI image-spec, annotations.md). */
export type Annotations = Readonly<Record<string, string>>;

/** OCI image-spec v1.1, image-index.md, `platform`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
}

/** OCI image-spec v1.1, descriptor.md. Sizes are bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Annotations;
  readonly platform?: Platform;
  /** Inline content, still base64; already checked to be of `size` and `digest` when present. */
  readonly data?: string;
  /**
   * `mediaType` and `size` are what a registry said of the manifest, in headers or in a list, and not what was read: the
   * digest alone decides. `settled` in `fetch-all.ts` makes them sure.
   */
  readonly isHint?: true;
}

/** OCI image-spec v1.1, manifest.md; also Docker image manifest V2 schema 2. */
export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** OCI image-spec v1.1, image-index.md; also Docker manifest list. */
export interface Index {
  readonly kind: "index";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** A manifest met on the walk, with what its parents said of it. */
export interface ManifestNode {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** Digests from the root to the parent index; empty for a root that is itself a manifest. */
  readonly path: readonly Digest[];
  /** api.md, "Effective type": the descriptor's artifactType, else the manifest's, else `config.mediaType`. */
  readonly effectiveType: string;
  /** api.md, "Effective annotations": the manifest's own, overlaid by its descriptor's. */
  readonly effectiveAnnotations: Annotations;
}

/** A selected layer: its descriptor, the manifest it belongs to and where it stands in it. */
export interface Layer {
  readonly descriptor: Descriptor;
  readonly node: ManifestNode;
  /** Index among the manifest's layers, from 0; -1 for the config blob. */
  readonly ordinal: number;
}

/** The finished artifact, still in the scratch directory: one gzip-compressed tar. */
export interface StagedBlob {
  readonly path: string;
  /** The digest of the file's bytes. */
  readonly digest: Digest;
  readonly size: number;
  /** The digest of the canonical uncompressed tar, or of the layer for a byte-for-byte Copy; the revision is made of it. */
  readonly contentDigest: Digest;
  /** True when the layer's own bytes are the artifact. */
  readonly verbatim: boolean;
}
