import { defaultLimits } from "../../config.ts";
import { type CopyCounts, GraphCopy } from "../../copy/graph.ts";
import type { WritableRepository } from "../../oci/content.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Descriptor } from "../../oci/types.ts";
import type { CommandIO } from "../command.ts";
import { Progress } from "../progress.ts";
import type { OpenedSource } from "../source.ts";

export interface Job {
  readonly source: OpenedSource;
  readonly target: OpenedSource;
  readonly referrers: boolean;
  /** Nothing is written. */
  readonly dryRun: boolean;
}

/** Copies what is below one root, with progress on a terminal. @throws as `GraphCopy` */
export async function copyGraph(
  { source, target, referrers, dryRun }: Job,
  { root, tag }: { readonly root: Descriptor; readonly tag: string | undefined },
  io: CommandIO,
): Promise<CopyCounts> {
  const progress = new Progress(io);
  const graph = new GraphCopy({
    source: source.repository,
    target: dryRun ? unwritten(target.repository) : target.repository,
    targetIsLayout: target.reference.kind === "layout",
    mountFrom: mountName(source.reference, target.reference),
    referrers,
    limits: defaultLimits,
    onBytes: (descriptor, bytes) =>
      progress.add(descriptor.digest, descriptor.digest.slice(0, 19), descriptor.size, bytes),
  });
  try {
    await graph.copy(root, tag, io.signal);
  } finally {
    progress.clear();
  }
  return graph.counts;
}

/** The repository as it is to be read; what would be written to it is taken and forgotten. */
function unwritten(repository: WritableRepository): WritableRepository {
  return {
    name: repository.name,
    resolve: (...args) => repository.resolve(...args),
    fetch: (...args) => repository.fetch(...args),
    tags: (...args) => repository.tags(...args),
    referrers: (...args) => repository.referrers(...args),
    exists: (...args) => repository.exists(...args),
    // Within one registry a blob of the source is mounted, which only the registry could refuse.
    mount: () => Promise.resolve(true),
    pushBlob: () => Promise.resolve(),
    pushManifest: () => Promise.resolve(),
    deleteManifest: () => Promise.resolve(),
  };
}

function mountName(source: Reference, target: Reference): string | undefined {
  if (source.kind !== "registry" || target.kind !== "registry" || source.registry !== target.registry) return undefined;
  return source.repository === target.repository ? undefined : source.repository;
}
