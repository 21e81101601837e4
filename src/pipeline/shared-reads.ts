import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { LRUCache } from "lru-cache";
import { codeOf } from "../errors.ts";
import type { NextStep, Repository } from "../oci/content.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import type { Descriptor } from "../oci/types.ts";

/** How old what was read for others may be. */
export interface Freshness {
  /** A resolved reference counts where it was asked for after this moment (performance.now): since then, nothing newer was wanted. */
  readonly since: number;
  /** Likewise for tags; routine reconciles take a list that is younger than their interval. */
  readonly tagsSince: number;
}

export interface SharedReadsOptions {
  readonly maxReferences: number;
  /** Characters of all tag lists together. */
  readonly maxTagCharacters: number;
  /** Bytes of all manifests together. */
  readonly maxManifestBytes: number;
}

interface Answer<T> {
  readonly askedAt: number;
  readonly value: Promise<T>;
}

/**
 * What objects with the same repository and credentials read in common: resolved references, tag lists and manifests. Equal
 * requests under way are one request; failures are not kept.
 */
export class SharedReads {
  readonly #salt = randomBytes(32);
  readonly #roots: LRUCache<string, Answer<Descriptor>>;
  readonly #tags: LRUCache<string, Answer<readonly string[]>>;
  readonly #manifests: LRUCache<string, Buffer>;

  constructor(options: SharedReadsOptions) {
    this.#roots = new LRUCache({ max: options.maxReferences });
    // Lists still on their way count as one; they are weighed once they are there.
    this.#tags = new LRUCache({
      max: options.maxReferences,
      maxSize: options.maxTagCharacters,
      sizeCalculation: () => 1,
    });
    this.#manifests = new LRUCache({
      max: options.maxReferences,
      maxSize: options.maxManifestBytes,
      sizeCalculation: (bytes) => bytes.length + 1,
    });
  }

  /** @param access everything that decides what the registry shows: address, credentials, certificates, proxy */
  share(repository: Repository, access: unknown, { since, tagsSince }: Freshness): Repository {
    const prefix = createHash("sha256")
      .update(this.#salt)
      .update(JSON.stringify([repository.name, access]))
      .digest("base64");
    return {
      name: repository.name,
      resolve: async (reference, signal, next) =>
        await this.#resolved(repository, { key: `${prefix} ${reference}`, since, reference, next }, signal),
      tags: (signal) => this.#listed(repository, { key: prefix, since: tagsSince }, signal),
      fetch: async (descriptor, signal) =>
        await this.#fetched(repository, `${prefix} ${descriptor.digest}`, descriptor, signal),
      referrers: async (subject, artifactType, signal) => await repository.referrers(subject, artifactType, signal),
    };
  }

  async #resolved(
    repository: Repository,
    { key, since, reference, next }: { key: string; since: number; reference: string; next: NextStep },
    signal: AbortSignal,
  ): Promise<Descriptor> {
    // What others have resolved they have mostly read, too.
    const ask = async (): Promise<Descriptor> =>
      await repository.resolve(reference, signal, this.#roots.has(key) ? undefined : next);
    return await shared(this.#roots, { key, since, ask }, signal);
  }

  async *#listed(
    repository: Repository,
    { key, since }: { key: string; since: number },
    signal: AbortSignal,
  ): AsyncGenerator<readonly string[]> {
    const ask = async (): Promise<readonly string[]> => {
      const all: string[] = [];
      for await (const page of repository.tags(signal)) all.push(...page);
      return all;
    };
    const tags = await shared(this.#tags, { key, since, ask }, signal);
    const answer = this.#tags.get(key);
    if (answer) this.#tags.set(key, answer, { size: tags.reduce((sum, tag) => sum + tag.length + 16, 1) });
    yield tags;
  }

  async #fetched(repository: Repository, key: string, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
    if (!isManifestType(descriptor.mediaType) && !isIndexType(descriptor.mediaType))
      return await repository.fetch(descriptor, signal);
    let bytes = this.#manifests.get(key);
    if (bytes === undefined) {
      const stream = await repository.fetch(descriptor, signal);
      // Manifests are capped by the caller before they are fetched, and the stream holds no more than the descriptor says.
      bytes = await buffer(stream);
      this.#manifests.set(key, bytes);
    }
    return Readable.from([bytes], { objectMode: false });
  }
}

interface Question<T> {
  readonly key: string;
  readonly since: number;
  readonly ask: () => Promise<T>;
}

async function shared<T extends object>(
  answers: LRUCache<string, Answer<T>>,
  { key, since, ask }: Question<T>,
  signal: AbortSignal,
): Promise<T> {
  const known = answers.get(key);
  if (known !== undefined && known.askedAt >= since) {
    try {
      return await known.value;
    } catch (error) {
      // Whoever asked has stopped; that is not our failure.
      if (codeOf(error) !== "Aborted" || signal.aborted) throw error;
    }
  }
  const answer: Answer<T> = { askedAt: performance.now(), value: ask() };
  answers.set(key, answer);
  try {
    return await answer.value;
  } catch (error) {
    if (answers.peek(key) === answer) answers.delete(key);
    throw error;
  }
}
