import { titleKey } from "../oci/annotations.ts";
import { CodedError } from "../errors.ts";
import type { Fetcher, Resolver } from "../oci/content.ts";
import type { Digest } from "../oci/types.ts";
import { fluxConfigDigest } from "../store/image-manifest.ts";
import type { Artifact, ArtifactStore, ImageForm, Owner } from "../store/store.ts";
import { fetchPushed, fetchSmall } from "./pushed-manifest.ts";

export interface RefillRequest {
  /** Where the artifact was pushed to. */
  readonly repository: Resolver & Fetcher;
  /** Digest of the pushed manifest, as the status remembers it. */
  readonly digest: Digest;
  readonly owner: Owner;
  readonly uid?: string | undefined;
  /** As `status.artifact` has it. */
  readonly artifact: Artifact;
  readonly store: ArtifactStore;
}

const maxConfigBytes = 1024 * 1024;

/**
 * Brings an artifact back into an empty storage from where it was pushed to, so that it is served before, and even without,
 * asking upstream. The file is the one the status names, or nothing is stored.
 *
 * @throws NotFound, DigestMismatch, SizeMismatch, ManifestInvalid, StorageFailed, …
 */
export async function refill(
  { repository, digest, owner, uid, artifact, store }: RefillRequest,
  signal: AbortSignal,
): Promise<Artifact> {
  const { layers, config, annotations = {} } = await fetchPushed(repository, digest, signal);
  const [layer] = layers;
  if (layers.length !== 1 || layer?.digest !== artifact.digest || layer.size !== artifact.size) {
    throw new CodedError(
      "DigestMismatch",
      `${digest} does not hold ${artifact.digest}, but ${
        layers
          .map((found) => found.digest)
          .slice(0, 3)
          .join(", ") || "nothing"
      }`,
    );
  }
  const form: ImageForm = {
    layerMediaType: layer.mediaType,
    layerTitle: layer.annotations?.[titleKey] ?? "",
    ...(config.digest !== fluxConfigDigest && {
      config: { mediaType: config.mediaType, bytes: await fetchSmall(repository, config, maxConfigBytes, signal) },
    }),
  };
  return await store.restore(
    {
      owner,
      uid,
      artifact,
      open: () => repository.fetch(layer, signal),
      image: { ...form, annotations },
    },
    signal,
  );
}
