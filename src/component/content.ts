import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { CodedError } from "../errors.ts";
import type { Fetcher, Repository } from "../oci/content.ts";
import { algorithmOf, isDigest, verifyingStream } from "../oci/digest.ts";
import { fetchAll } from "../oci/fetch-all.ts";
import type { Limits } from "../oci/limits.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { statedDigest, type Resource } from "./descriptor.ts";
import { hashOf } from "./normalisation.ts";

/** ocm-spec, "Artifact Normalization Types". For a manifest OCM's present writers say generic, its older ones ociArtifact. */
const ofBlob = "genericBlobDigest/v1";
const ofManifest: ReadonlySet<string> = new Set([ofBlob, "ociArtifactDigest/v1", "ociArtefactDigest/v1"]);

/**
 * The digest that a resource states for its content; undefined where it states none.
 * @param kind what the content is here
 * @param what the resource, for messages
 * @throws ComponentInvalid for algorithms that are not known, by their names
 */
export function contentDigest(resource: Resource, kind: "manifest" | "blob", what: string): Digest | undefined {
  const stated = statedDigest(resource.digest);
  if (stated === undefined) return undefined;
  const { normalisationAlgorithm, hashAlgorithm, value } = stated;
  const refused = (problem: string): CodedError => new CodedError("ComponentInvalid", `${what} ${problem}`);
  const isKnown = kind === "blob" ? normalisationAlgorithm === ofBlob : ofManifest.has(normalisationAlgorithm);
  if (!isKnown)
    throw refused(`has a digest by ${printable(normalisationAlgorithm) || '""'}, which cannot be checked of a ${kind}`);
  const hash = hashOf(hashAlgorithm);
  const digest = `${hash}:${value.toLowerCase()}`;
  if (hash === undefined || !isDigest(digest))
    throw refused(
      `has the digest ${printable(hashAlgorithm)} ${printable(value, 130)}, which is neither SHA-256 nor SHA-512`,
    );
  return digest;
}

/** @throws DigestMismatch */
export function requireDigest(found: Digest, stated: Digest, what: string): void {
  if (found === stated) return;
  throw new CodedError(
    "DigestMismatch",
    `${what} states the digest ${stated}, but its content is ${found}: it was swapped`,
  );
}

/** Checks a manifest by the resource's digest, also where that is of another algorithm. @throws DigestMismatch, what the fetcher throws */
export async function checkManifest(
  fetcher: Fetcher,
  root: Descriptor,
  stated: Digest,
  { what, limits, signal }: { what: string; limits: Pick<Limits, "maxManifestBytes">; signal: AbortSignal },
): Promise<void> {
  if (algorithmOf(root.digest) === algorithmOf(stated)) return requireDigest(root.digest, stated, what);
  const bytes = await fetchAll(fetcher, root, limits.maxManifestBytes, signal);
  const algorithm = algorithmOf(stated);
  requireDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`, stated, what);
}

/** Reads with one blob checked by the resource's digest, too, where that is of another algorithm. @throws DigestMismatch */
export function checkedBlob(repository: Repository, blob: Descriptor, stated: Digest, what: string): Repository {
  if (algorithmOf(blob.digest) === algorithmOf(stated)) {
    requireDigest(blob.digest, stated, what);
    return repository;
  }
  return {
    name: repository.name,
    resolve: async (reference, signal, next) => await repository.resolve(reference, signal, next),
    tags: (signal) => repository.tags(signal),
    referrers: async (subject, signal) => await repository.referrers(subject, signal),
    fetch: async (descriptor, signal) => {
      const stream = await repository.fetch(descriptor, signal);
      if (descriptor.digest !== blob.digest) return stream;
      const checked = verifyingStream({ digest: stated, size: blob.size });
      // Whichever ends first takes the other along; what failed is what the reader is told.
      pipeline(stream, checked).catch(() => undefined);
      return checked;
    },
  };
}
