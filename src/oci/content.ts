import type { Readable } from "node:stream";
import type { AccessKey } from "../sharing/access-key.ts";
import type { Descriptor, Digest } from "./types.ts";

/** `read`: its manifest is fetched next, so a registry may as well send it with the answer. */
export type NextStep = "read" | undefined;

/** Turns a tag or digest into the descriptor of the root manifest or index. */
export interface Resolver {
  /**
   * @param reference a tag or a digest
   * @param next what the caller will do with the descriptor
   * @throws NotFound, Unauthorized, Forbidden, RegistryUnreachable, …
   */
  resolve(reference: string, signal: AbortSignal, next?: NextStep): Promise<Descriptor>;
}

/** Reads content by descriptor. */
export interface Fetcher {
  /**
   * A stream of exactly `descriptor.size` bytes. It is destroyed with DigestMismatch or SizeMismatch, instead of
   * ending, when the bytes are not those the descriptor names. The caller reads it to the end or destroys it.
   * Manifests and indexes are told from blobs by their media type.
   */
  fetch(descriptor: Descriptor, signal: AbortSignal): Promise<Readable>;
}

/** Lists the tags of a repository, page by page, in the registry's order. */
export interface TagLister {
  tags(signal: AbortSignal): AsyncIterable<readonly string[]>;
}

/** Lists what refers to a manifest (distribution-spec v1.1, referrers API, with the fallback tag schema). */
export interface ReferrerLister {
  /**
   * All of them: what a list says of type and size is a hint (`Descriptor.isHint`), so nobody but the manifests themselves
   * can tell which are of some type.
   */
  referrers(subject: Digest, signal: AbortSignal): Promise<readonly Descriptor[]>;
}

/** Writes content; used by publishers and by `strata copy`. */
export interface Pusher {
  exists(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;
  /** Cross-repository mount from `from` (a repository name on the same registry); false where it was refused. */
  mount(descriptor: Descriptor, from: string, signal: AbortSignal): Promise<boolean>;
  /** @param open opens the content anew for each attempt, from a byte offset */
  pushBlob(descriptor: Descriptor, open: (offset: number) => Readable, signal: AbortSignal): Promise<void>;
  /** PUT of a manifest or index; `reference` is a tag, or the digest itself. */
  pushManifest(descriptor: Descriptor, bytes: Uint8Array, reference: string, signal: AbortSignal): Promise<void>;
  /**
   * DELETE by digest.
   * @param subject to which the manifest refers: it is no longer listed there
   * @throws RegistryUnsupported where the registry does not allow it
   */
  deleteManifest(digest: Digest, signal: AbortSignal, subject?: Digest): Promise<void>;
}

/** A tag to point at a manifest that the repository holds. */
export interface TagMove {
  readonly tag: string;
  /** What the tag was seen to point at; undefined: nothing. */
  readonly from: Digest | undefined;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Moves tags that others may move as well. */
export interface TagMover {
  /** False, and nothing has changed, where the tag points elsewhere by now than at `from`. */
  moveTag(move: TagMove, signal: AbortSignal): Promise<boolean>;
}

/** One repository to read from: on a registry, in an OCI image layout on disk, or in memory. */
export interface Repository extends Resolver, Fetcher, TagLister, ReferrerLister {
  /** `registry.example/team/app`, for messages and names. */
  readonly name: string;
  /** Under which what is learnt here may be shared; undefined: with nobody. */
  readonly access?: AccessKey | undefined;
  /** Whether the repository has a blob for whoever asks now, without its bytes; false where it will not say. Absent: it cannot be asked. */
  readonly offers?: ((blob: Descriptor, signal: AbortSignal) => Promise<boolean>) | undefined;
}

/** One repository to read from and write to. */
export interface WritableRepository extends Repository, Pusher {}

/** One repository on a registry, which others write to as well. */
export interface SharedRepository extends WritableRepository, TagMover {}
