import { CodedError } from "../errors.ts";
import { isAbsence } from "./absence.ts";
import type { Fetcher } from "./content.ts";
import { fetchManifest } from "./fetch-all.ts";
import type { Limits } from "./limits.ts";
import { isIndexType, isManifestType } from "./media-types.ts";
import type { Annotations, Descriptor, Digest, Index, Manifest, ManifestNode } from "./types.ts";

/** Children of one index that are fetched side by side; more would only queue up in the connection pool. */
const concurrency = 8;

/** Something met on the walk; `path` are the digests from the root to the parent index. */
export type Visit =
  | { readonly kind: "index"; readonly descriptor: Descriptor; readonly index: Index; readonly path: readonly Digest[] }
  | {
      readonly kind: "manifest";
      readonly descriptor: Descriptor;
      readonly node: ManifestNode;
      readonly path: readonly Digest[];
    }
  /** Listed by its index, and not in the registry: mirrors and caches hold the platforms that somebody wanted. */
  | {
      readonly kind: "missing";
      readonly descriptor: Descriptor;
      readonly error: CodedError;
      readonly path: readonly Digest[];
    }
  /** `isForeign`: it is of a media type that no walk enters. */
  | {
      readonly kind: "passed";
      readonly descriptor: Descriptor;
      readonly reason: string;
      readonly isForeign: boolean;
      readonly path: readonly Digest[];
    };

export interface WalkOptions {
  readonly limits: Pick<Limits, "maxManifestBytes" | "maxManifests" | "maxIndexDepth" | "maxWalkBytes">;
  readonly signal: AbortSignal;
  /** A clause saying why a child is passed over, which is then never fetched; undefined: it is entered. `depth` is the number of indexes above. */
  readonly refuse?: (descriptor: Descriptor, depth: number) => string | undefined;
}

/** One for all: an error of its own for each walk would take longer than to end it. */
const ended = new CodedError("Aborted", "the walk has ended");

/**
 * Everything below `root`, itself included: depth first, in index order, each digest once. What an index says of itself
 * is not handed down to its children. A child that the registry does not have is told of, and does not end the walk.
 *
 * @throws IndexTooDeep, TooManyManifests, ManifestTooLarge, ManifestInvalid, what the fetcher throws, the reason of `signal`
 */
export async function* walk(fetcher: Fetcher, root: Descriptor, options: WalkOptions): AsyncGenerator<Visit> {
  const stop = new AbortController();
  const walker = new Walker(fetcher, { ...options, signal: AbortSignal.any([options.signal, stop.signal]) });
  try {
    yield* walker.enter(root, []);
  } finally {
    // Whoever stops early wants none of what is still on its way.
    stop.abort(ended);
  }
}

class Walker {
  readonly #fetcher: Fetcher;
  readonly #options: WalkOptions;
  readonly #entered = new Set<Digest>();
  readonly #met = { manifest: new Set<Digest>(), index: new Set<Digest>() };
  readonly #pending = new Map<Digest, Promise<Manifest | Index>>();
  #bytes = 0;

  constructor(fetcher: Fetcher, options: WalkOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
  }

  async *enter(descriptor: Descriptor, path: readonly Digest[]): AsyncGenerator<Visit> {
    if (this.#entered.has(descriptor.digest)) return;
    this.#entered.add(descriptor.digest);
    const body = await this.#load(descriptor).catch((error: unknown) => missingChild(error, path));
    this.#pending.delete(descriptor.digest);
    if (body instanceof CodedError) {
      yield { kind: "missing", descriptor, error: body, path };
      return;
    }
    if (body.kind === "manifest") {
      yield { kind: "manifest", descriptor, node: nodeOf(descriptor, body, path), path };
      return;
    }
    yield { kind: "index", descriptor, index: body, path };
    yield* this.#children(body, [...path, descriptor.digest]);
  }

  async *#children(index: Index, path: readonly Digest[]): AsyncGenerator<Visit> {
    const children = index.manifests.map((descriptor) => ({
      descriptor,
      reason: this.#refusal(descriptor, path.length),
    }));
    const wanted = children.filter(({ reason }) => reason === undefined).map(({ descriptor }) => descriptor);
    for (const { descriptor, reason } of children) this.#count(descriptor, path, reason === undefined);
    let ahead = 0;
    let at = 0;
    for (const { descriptor, reason } of children) {
      if (reason !== undefined) {
        yield { kind: "passed", descriptor, reason, isForeign: isForeign(descriptor), path };
        continue;
      }
      for (; ahead < Math.min(at + concurrency, wanted.length); ahead++) this.#prefetch(wanted[ahead]!);
      at++;
      yield* this.enter(descriptor, path);
    }
  }

  #refusal(descriptor: Descriptor, depth: number): string | undefined {
    if (isForeign(descriptor)) return "its media type is that of no manifest or index";
    return this.#options.refuse?.(descriptor, depth);
  }

  /** Counts children before any of them is fetched. */
  #count({ digest, mediaType }: Descriptor, path: readonly Digest[], isWanted: boolean): void {
    const { maxManifests, maxIndexDepth } = this.#options.limits;
    const isIndex = isIndexType(mediaType);
    const met = isIndex ? this.#met.index : this.#met.manifest;
    met.add(digest);
    if (met.size > maxManifests)
      throw new CodedError(
        "TooManyManifests",
        `${path[0]} has more than ${maxManifests} ${isIndex ? "nested indexes" : "manifests"}; name one of its children by ref.digest`,
      );
    if (isIndex && isWanted && path.length > maxIndexDepth && !this.#entered.has(digest)) {
      throw new CodedError(
        "IndexTooDeep",
        `${digest} lies in ${path.length} indexes, more than ${maxIndexDepth}; name it by ref.digest`,
      );
    }
  }

  #prefetch(descriptor: Descriptor): void {
    if (this.#entered.has(descriptor.digest)) return;
    // The failure is reported when the walk gets there, if it does.
    this.#load(descriptor).catch(() => undefined);
  }

  #load(descriptor: Descriptor): Promise<Manifest | Index> {
    const pending = this.#pending.get(descriptor.digest) ?? this.#fetch(descriptor);
    this.#pending.set(descriptor.digest, pending);
    return pending;
  }

  async #fetch(descriptor: Descriptor): Promise<Manifest | Index> {
    const { limits, signal } = this.#options;
    this.#bytes += descriptor.size;
    if (this.#bytes > limits.maxWalkBytes)
      throw new CodedError(
        "ManifestTooLarge",
        `${descriptor.digest} is one manifest too many: with it, those that were read have more than ${limits.maxWalkBytes} bytes together; name what is wanted by ref.digest, or let indexSelector.platform or artifactType rule out the others`,
      );
    return await fetchManifest(this.#fetcher, descriptor, limits, signal);
  }
}

/** A root that is not there is an error. */
function missingChild(error: unknown, path: readonly Digest[]): CodedError {
  if (path.length > 0 && error instanceof CodedError && isAbsence(error)) return error;
  throw error;
}

/** OCI image-spec v1.1, image-index.md: an unknown media type must not be an error. */
function isForeign({ mediaType }: Descriptor): boolean {
  return !isManifestType(mediaType) && !isIndexType(mediaType);
}

/** api.md, "Effective type" and "Effective annotations". */
export function nodeOf(descriptor: Descriptor, manifest: Manifest, path: readonly Digest[]): ManifestNode {
  return {
    descriptor,
    manifest,
    path,
    effectiveType: descriptor.artifactType ?? manifest.artifactType ?? manifest.config.mediaType,
    effectiveAnnotations: overlaid(manifest.annotations, descriptor.annotations),
  };
}

/** They may be megabytes: copied only where there are two. */
function overlaid(own: Annotations | undefined, stated: Annotations | undefined): Annotations {
  if (own === undefined || stated === undefined) return own ?? stated ?? {};
  return { ...own, ...stated };
}
