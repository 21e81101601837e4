import { Readable } from "node:stream";
import type { WritableRepository } from "../oci/content.ts";
import { parseDigest } from "../oci/digest.ts";
import { fetchAll, parseDocument, settledBy } from "../oci/fetch-all.ts";
import type { Limits } from "../oci/limits.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Digest, Index, Manifest } from "../oci/types.ts";
import { type Visit, walk } from "../oci/walk.ts";
import { descriptorOf } from "./descriptor.ts";

/** A manifest or index as it is stored, and what it says. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly content: Manifest | Index;
}

export interface ReadOptions {
  /** What the caller is ready to hold: 4 MiB by default. */
  readonly maxBytes?: number | undefined;
}

export interface WalkChoice {
  /** Says why a child is passed over, which is then never fetched; undefined: it is entered. */
  readonly refuse?: ((descriptor: Descriptor) => string | undefined) | undefined;
}

export interface PushOptions {
  /** The tag to point at it; without one it is known by its digest alone. */
  readonly tag?: string | undefined;
}

/**
 * One repository on a registry, or an image layout on disk. Every method takes an AbortSignal last, and fails with a
 * CodedError. What it gives has been checked against its digest.
 */
export class Repository {
  readonly #content: WritableRepository;
  readonly #limits: Limits;

  /** @internal `Registry.repository` and `openLayout` make them. */
  constructor(content: WritableRepository, limits: Limits) {
    this.#content = content;
    this.#limits = limits;
  }

  /** `registry.example/team/app`, or `oci-layout://PATH`. */
  get name(): string {
    return this.#content.name;
  }

  /**
   * @param reference a tag or a digest
   * @throws CodedError NotFound, Unauthorized, Forbidden, RegistryUnreachable, …
   */
  async resolve(reference: string, signal: AbortSignal = unending()): Promise<Descriptor> {
    return await this.#content.resolve(reference, signal);
  }

  /** @param reference a tag, a digest or a descriptor @throws CodedError ManifestInvalid, ManifestTooLarge, NotFound, … */
  async manifest(reference: string | Descriptor, signal: AbortSignal = unending()): Promise<Document> {
    const descriptor = await this.#descriptor(reference, signal);
    const bytes = await fetchAll(this.#content, descriptor, this.#limits.maxManifestBytes, signal);
    const content = parseDocument(bytes, descriptor, descriptor.digest);
    return { descriptor: settledBy(descriptor, bytes, content), bytes, content };
  }

  /**
   * The bytes that a descriptor names, as a stream that fails, instead of ending, where they are others. An interrupted
   * download goes on where it was. Whoever does not read it to its end destroys it.
   */
  async fetch(descriptor: Descriptor, signal: AbortSignal = unending()): Promise<Readable> {
    return await this.#content.fetch(descriptor, signal);
  }

  /** The same, whole. @throws CodedError ManifestTooLarge where it is larger than `maxBytes`, before anything is fetched */
  async bytes(
    descriptor: Descriptor,
    options: ReadOptions = {},
    signal: AbortSignal = unending(),
  ): Promise<Uint8Array> {
    return await fetchAll(this.#content, descriptor, options.maxBytes ?? this.#limits.maxManifestBytes, signal);
  }

  /**
   * Everything below a manifest or index, itself included: depth first, each digest once. A child that the registry does not
   * have is told of, and does not end the walk.
   */
  async *walk(
    reference: string | Descriptor,
    { refuse }: WalkChoice = {},
    signal: AbortSignal = unending(),
  ): AsyncGenerator<Visit> {
    const root = await this.#descriptor(reference, signal);
    yield* walk(this.#content, root, { limits: this.#limits, signal, ...(refuse && { refuse }) });
  }

  /** In the registry's order, a page at a time. */
  async *tags(signal: AbortSignal = unending()): AsyncGenerator<string> {
    for await (const page of this.#content.tags(signal)) yield* page;
  }

  /**
   * What refers to a manifest: signatures, SBOMs. Types and sizes are what the list says (`isHint`); `manifest` reads what
   * they really are.
   */
  async referrers(subject: Digest, signal: AbortSignal = unending()): Promise<readonly Descriptor[]> {
    return await this.#content.referrers(parseDigest(subject), signal);
  }

  async exists(descriptor: Descriptor, signal: AbortSignal = unending()): Promise<boolean> {
    return await this.#content.exists(descriptor, signal);
  }

  /** Pushes bytes that are at hand. @returns their descriptor, for a manifest */
  async push(bytes: Uint8Array, mediaType: string, signal: AbortSignal = unending()): Promise<Descriptor> {
    const descriptor = descriptorOf(bytes, mediaType);
    await this.pushBlob(descriptor, (offset) => Readable.from([bytes.subarray(offset)], { objectMode: false }), signal);
    return descriptor;
  }

  /** Pushes a blob, unless it is there. @param open opens the content anew for each attempt, from a byte offset */
  async pushBlob(
    descriptor: Descriptor,
    open: (offset: number) => Readable,
    signal: AbortSignal = unending(),
  ): Promise<void> {
    if (!(await this.#content.exists(descriptor, signal))) await this.#content.pushBlob(descriptor, open, signal);
  }

  /**
   * Pushes a manifest or index; its blobs are there already. One with a `subject` is listed among the referrers of that, on
   * registries without the referrers API as well.
   *
   * @param manifest an object, which is written as JSON, or the bytes themselves
   * @throws CodedError ManifestInvalid, before anything is sent; NotFound where the registry misses a blob
   */
  async pushManifest(
    manifest: object | Uint8Array,
    { tag }: PushOptions = {},
    signal: AbortSignal = unending(),
  ): Promise<Descriptor> {
    const bytes = manifest instanceof Uint8Array ? manifest : Buffer.from(JSON.stringify(manifest), "utf8");
    const { mediaType } = parseManifest(bytes, undefined, "the manifest to push");
    const descriptor = descriptorOf(bytes, mediaType);
    await this.#content.pushManifest(descriptor, bytes, tag ?? descriptor.digest, signal);
    return descriptor;
  }

  /** Mounts a blob from another repository of the same registry. @returns false where it was refused: push it */
  async mount(descriptor: Descriptor, from: string, signal: AbortSignal = unending()): Promise<boolean> {
    return await this.#content.mount(descriptor, from, signal);
  }

  /** Deletes a manifest by its digest. @throws CodedError RegistryUnsupported where the registry does not allow it */
  async deleteManifest(digest: Digest, signal: AbortSignal = unending()): Promise<void> {
    await this.#content.deleteManifest(parseDigest(digest), signal);
  }

  async #descriptor(reference: string | Descriptor, signal: AbortSignal): Promise<Descriptor> {
    return typeof reference === "string" ? await this.#content.resolve(reference, signal, "read") : reference;
  }
}

/** For who sets no bound; answers have one in any case (`timeoutMs`). */
const unending = (): AbortSignal => new AbortController().signal;
