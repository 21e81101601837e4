import pLimit from "p-limit";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { Fetcher } from "../oci/content.ts";
import { fetchManifest } from "../oci/fetch-all.ts";
import type { Limits } from "../oci/limits.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import type { Descriptor, Digest, Index, Manifest } from "../oci/types.ts";

const concurrency = 8;
/** All manifests and indexes together have at most this size, in bytes: what is made of them stays in memory. */
const maxBytes = 64 * 1024 * 1024;

/** A child that cannot be read, such as one that a mirror left out. */
export interface Unread {
  readonly kind: "unread";
  readonly code: string;
  readonly message: string;
}

/** Every manifest and index below a root by its digest, the root included. */
export type Graph = ReadonlyMap<Digest, Manifest | Index | Unread>;

export interface GraphOptions {
  readonly limits: Pick<Limits, "maxManifestBytes" | "maxManifests" | "maxIndexDepth">;
  readonly signal: AbortSignal;
}

/**
 * Reads everything below `root`, level by level. Unlike a selection this does not end at a child that cannot be read:
 * whoever looks at an artifact wants to see the rest of it.
 *
 * @throws IndexTooDeep, TooManyManifests, what reading the root throws, the reason of `signal`
 */
export async function loadGraph(fetcher: Fetcher, root: Descriptor, options: GraphOptions): Promise<Graph> {
  const graph = new Map<Digest, Manifest | Index | Unread>([
    [root.digest, await fetchManifest(fetcher, root, options.limits, options.signal)],
  ]);
  const run = pLimit(concurrency);
  let bytes = root.size;
  for (let level = 1, parents = [root]; parents.length > 0; level++) {
    const children = unseenChildren(graph, parents);
    bytes += children.reduce((sum, { size }) => sum + size, 0);
    checkBytes(bytes, root);
    check(graph.size + children.length, children, { root, level, limits: options.limits });
    const bodies = await Promise.all(children.map((child) => run(async () => await load(fetcher, child, options))));
    for (const [at, child] of children.entries()) graph.set(child.digest, bodies[at]!);
    parents = children;
  }
  return graph;
}

/** A media type that is neither a manifest's nor an index's is never entered (OCI image-spec v1.1, image-index.md). */
export function isEntered({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

function unseenChildren(graph: Graph, parents: readonly Descriptor[]): Descriptor[] {
  const found = new Map<Digest, Descriptor>();
  for (const { digest } of parents) {
    const body = graph.get(digest);
    if (body?.kind !== "index") continue;
    for (const child of body.manifests)
      if (isEntered(child) && !graph.has(child.digest) && !found.has(child.digest)) found.set(child.digest, child);
  }
  return [...found.values()];
}

function checkBytes(bytes: number, { digest }: Descriptor): void {
  if (bytes > maxBytes)
    throw new CodedError(
      "TooManyManifests",
      `the manifests and indexes below ${digest} have ${bytes} bytes together, more than ${maxBytes}; name one of its children by its digest`,
    );
}

function check(
  count: number,
  children: readonly Descriptor[],
  { root, level, limits }: { root: Descriptor; level: number; limits: GraphOptions["limits"] },
): void {
  if (count > limits.maxManifests)
    throw new CodedError(
      "TooManyManifests",
      `${root.digest} has more than ${limits.maxManifests} manifests and indexes below it; name one of its children by its digest`,
    );
  const index = children.find(({ mediaType }) => isIndexType(mediaType));
  if (index !== undefined && level > limits.maxIndexDepth)
    throw new CodedError(
      "IndexTooDeep",
      `${index.digest} lies in ${level} indexes, more than ${limits.maxIndexDepth}; look at it by its digest`,
    );
}

async function load(
  fetcher: Fetcher,
  child: Descriptor,
  { limits, signal }: GraphOptions,
): Promise<Manifest | Index | Unread> {
  try {
    return await fetchManifest(fetcher, child, limits, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "unread", code: codeOf(error), message: messageOf(error) };
  }
}
