import { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { fetchAll, fetchManifest } from "../oci/fetch-all.ts";
import type { Descriptor, Manifest } from "../oci/types.ts";

/**
 * The same repository, from which no more than `maxBytes` are fetched in all: fifty signatures of the largest size each would
 * otherwise be a download of a size that a stranger chooses.
 */
export function withBudget(repository: Repository, maxBytes: number): Repository {
  let left = maxBytes;
  return {
    name: repository.name,
    resolve: async (reference, signal, next) => await repository.resolve(reference, signal, next),
    referrers: async (subject, signal) => await repository.referrers(subject, signal),
    tags: (signal) => repository.tags(signal),
    fetch: async (descriptor, signal) => {
      if (descriptor.isHint) {
        // Its size is not known before it was read.
        const bytes = await fetchAll(repository, descriptor, left, signal);
        left -= bytes.length;
        return Readable.from([bytes], { objectMode: false });
      }
      if (descriptor.size > left)
        throw new CodedError(
          "VerificationFailed",
          `${descriptor.digest} is not read: at most ${maxBytes} bytes are read for one artifact's signatures`,
        );
      left -= descriptor.size;
      return await repository.fetch(descriptor, signal);
    },
  };
}

/** A manifest that holds a signature. @throws ManifestInvalid for an index, and what `fetchManifest` throws */
export async function readSignatureManifest(
  repository: Repository,
  descriptor: Descriptor,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Manifest> {
  const manifest = await fetchManifest(repository, descriptor, { maxManifestBytes: maxBytes }, signal);
  if (manifest.kind === "manifest") return manifest;
  throw new CodedError(
    "ManifestInvalid",
    `${repository.name}@${descriptor.digest} is an index, which holds no signature`,
  );
}
