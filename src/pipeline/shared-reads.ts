import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { isDescriptorType, maxDescriptorBytes } from "../component/encoding.ts";
import { CodedError } from "../errors.ts";
import type { NextStep, Repository } from "../oci/content.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import type { Descriptor } from "../oci/types.ts";
import type { ProvedAccess } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { givenByAnother } from "../sharing/shared-work.ts";

/** What one object takes from others. */
export interface Taking {
  /** A resolved reference counts where it was asked for after this moment (performance.now): since then, nothing newer was wanted. */
  readonly since: number;
  /** Likewise for tags; routine reconciles take a list that is younger than their interval. */
  readonly tagsSince: number;
  /** Longest wait for an answer that another has asked for, in ms. */
  readonly patienceMs: number;
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
  /** Fails also where it was got with other credentials than those it is kept under. */
  readonly value: Promise<T>;
}

/**
 * What objects with the same access to a repository read in common: resolved references, tag lists, manifests and component descriptors. Equal
 * requests under way are one request; a failure is only that of whoever asked.
 */
export class SharedReads {
  readonly #roots: SharedCache<Answer<Descriptor>>;
  readonly #tags: SharedCache<Answer<readonly string[]>>;
  readonly #manifests: SharedCache<Buffer>;

  constructor(options: SharedReadsOptions) {
    this.#roots = new SharedCache({ max: options.maxReferences });
    // Lists still on their way count as one; they are weighed once they are there.
    this.#tags = new SharedCache({ max: options.maxReferences, maxSize: options.maxTagCharacters, sizeOf: () => 1 });
    this.#manifests = new SharedCache({
      max: options.maxReferences,
      maxSize: options.maxManifestBytes,
      sizeOf: (bytes) => bytes.length + 1,
    });
  }

  /** The repository, through what others with the same access have read. */
  share(repository: Repository, access: ProvedAccess, taking: Taking): Repository {
    const asker = { repository, access, ...taking };
    return {
      name: repository.name,
      get access() {
        return access.holds() ? access.key : undefined;
      },
      resolve: async (reference, signal, next) => await this.#resolved(asker, reference, next, signal),
      tags: (signal) => this.#listed(asker, signal),
      fetch: async (descriptor, signal) => await this.#fetched(asker, descriptor, signal),
      referrers: async (subject, signal) => await repository.referrers(subject, signal),
      // What one is shown now nobody else can answer.
      offers: repository.offers,
    };
  }

  async #resolved(asker: Asking, reference: string, next: NextStep, signal: AbortSignal): Promise<Descriptor> {
    const { repository, access, since } = asker;
    // What others have resolved they have mostly read, too.
    const ask = async (): Promise<Descriptor> =>
      await repository.resolve(reference, signal, this.#roots.has(access.key, reference) ? undefined : next);
    return await shared(this.#roots, { ...asker, name: reference, since, ask }, signal);
  }

  async *#listed(asker: Asking, signal: AbortSignal): AsyncGenerator<readonly string[]> {
    const ask = async (): Promise<readonly string[]> => {
      const all: string[] = [];
      for await (const page of asker.repository.tags(signal)) all.push(...page);
      return all;
    };
    const tags = await shared(this.#tags, { ...asker, name: "", since: asker.tagsSince, ask }, signal);
    const answer = this.#tags.get(asker.access.key, "");
    if (answer)
      this.#tags.set(
        asker.access.key,
        "",
        answer,
        tags.reduce((sum, tag) => sum + tag.length + 16, 1),
      );
    yield tags;
  }

  async #fetched({ repository, access }: Asking, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
    if (!isKept(descriptor)) return await repository.fetch(descriptor, signal);
    let bytes = this.#manifests.get(access.key, descriptor.digest);
    if (bytes === undefined) {
      const stream = await repository.fetch(descriptor, signal);
      // Manifests are capped by the caller before they are fetched, and the stream holds no more than the descriptor says.
      bytes = await buffer(stream);
      if (access.holds()) this.#manifests.set(access.key, descriptor.digest, bytes);
    }
    return Readable.from([bytes], { objectMode: false });
  }
}

/** Manifests, and component descriptors, which are read again and again as they are. */
function isKept({ mediaType, size }: Descriptor): boolean {
  const isDescriptor = isDescriptorType(mediaType) && size <= maxDescriptorBytes;
  return isDescriptor || isManifestType(mediaType) || isIndexType(mediaType);
}

interface Asking extends Taking {
  readonly repository: Repository;
  readonly access: ProvedAccess;
}

interface Question<T> {
  readonly access: ProvedAccess;
  readonly name: string;
  readonly since: number;
  readonly patienceMs: number;
  readonly ask: () => Promise<T>;
}

/** The answer that another has got or is getting, where it is new enough and comes in time; else one's own. */
async function shared<T extends object>(
  answers: SharedCache<Answer<T>>,
  { access, name, since, patienceMs, ask }: Question<T>,
  signal: AbortSignal,
): Promise<T> {
  const known = answers.get(access.key, name);
  const given =
    known !== undefined && known.askedAt >= since && (await givenByAnother(known.value, { patienceMs, signal }));
  if (given) return given.value;
  const askedAt = performance.now();
  const own = ask();
  const answer: Answer<T> = { askedAt, value: own.then((value) => shareable(value, access)) };
  answers.set(access.key, name, answer);
  answer.value.catch(() => answers.deleteOnly(access.key, name, answer));
  return await own;
}

/** @throws Aborted where it is not what those with this access are shown */
function shareable<T>(value: T, access: ProvedAccess): T {
  if (access.holds()) return value;
  throw new CodedError("Aborted", "the answer came with other credentials");
}
