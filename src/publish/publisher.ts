import type { Annotations, Digest, StagedBlob } from "../oci/types.ts";

/** The object an artifact belongs to. */
export interface Owner {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Flux's `meta.Artifact` (github.com/fluxcd/pkg/apis/meta). */
export interface Artifact {
  readonly path: string;
  readonly url: string;
  readonly revision: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** RFC 3339. */
  readonly lastUpdateTime: string;
  readonly metadata?: Annotations;
}

/** What a publisher needs to know besides the bytes. */
export interface PublishRequest {
  readonly owner: Owner;
  readonly blob: StagedBlob;
  /** `<tag>@<content digest>`, see `revisionOf`. */
  readonly revision: string;
  readonly metadata: Annotations;
}

/** `<tag>@sha256:…`, or the digest alone where the reference was a digest (api.md, "The published artifact"). */
export function revisionOf(tag: string | undefined, contentDigest: Digest): string {
  return tag === undefined ? contentDigest : `${tag}@${contentDigest}`;
}
