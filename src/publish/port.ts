import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { Condition, PublishedStatus } from "../../api/v1beta1/status.ts";
import type { Derivation } from "../../api/v1beta1/derivation.ts";
import type { Repository } from "../oci/content.ts";
import type { Digest, Layer } from "../oci/types.ts";
import type { Identified } from "../pipeline/object.ts";
import type { Artifact } from "../store/store.ts";

/** Where an artifact can be made known: the fields of `spec.publish`. */
export type Target = Exclude<keyof NonNullable<ArtifactRepositorySpec["publish"]>, "commonMetadata">;

/** What is to be made known, and where it was made known before. */
export interface PublishStep {
  readonly owner: Identified;
  readonly artifact: Artifact;
  readonly sourceVerified: Condition | undefined;
  readonly previous: readonly PublishedStatus[];
  readonly layer: PushedLayer | undefined;
  readonly transfer: Transfer;
  /** Undefined where nobody knows: the artifact is from before this was remembered. */
  readonly origin?: Origin | undefined;
}

/** Where the artifact comes from. */
export interface Origin {
  readonly derivation: Derivation;
  /** Where the layers were read. */
  readonly repository: Repository;
  readonly place: { readonly registry: string; readonly repository: string };
  /** The manifests there whose referrers are about the artifact as well: none where its bytes are not upstream's. */
  readonly subjects: readonly Digest[];
}

/** Runs the transfer of so many bytes once there is room for it among the others; what is small is run at once. */
export type Transfer = <T>(bytes: number, work: () => Promise<T>) => Promise<T>;

/** The upstream layer that the artifact is, byte for byte: what a registry may mount instead of taking it again. */
export interface PushedLayer {
  readonly registry: string;
  readonly repository: string;
  readonly layer: Layer;
}

export interface Published {
  /** The rows for `status.published`: what is current first, then older manifests that are still to be deleted one day. */
  readonly rows: readonly PublishedStatus[];
  /** Worth telling once, such as a registry that deletes nothing. */
  readonly note: string | undefined;
}

/** An object that does not want this target any more, or is going. */
export interface Leaving extends Pick<Identified, "key" | "uid"> {
  /** Undefined where its spec cannot be read. */
  readonly object: ArtifactRepository | undefined;
  readonly previous: readonly PublishedStatus[];
}

/** One way of making the stored artifact known. */
export interface Publisher {
  /** The `kind` of its rows in `status.published`. */
  readonly kind: PublishedStatus["kind"];
  /** @throws PublishFailed, NotOwned, CrdMissing, InvalidTemplate, Kube…, Secret… */
  publish(step: PublishStep, signal: AbortSignal): Promise<Published>;
  /** Deletes what was made for the object, where that is ours. */
  withdraw(leaving: Leaving, signal: AbortSignal): Promise<void>;
}

/** A push target keeps the bytes, too. */
export interface OciPublisher extends Publisher {
  /** Brings the stored file back from the push target; false where it is not there. */
  refill(step: Pick<PublishStep, "owner" | "artifact" | "previous">, signal: AbortSignal): Promise<boolean>;
}

/** What says where the artifact is must not say so where it is not. */
export interface ArtifactPublisher extends Publisher {
  /** Takes the artifact out of the status of what was made for the object, where there is such a thing. */
  retract(owner: Pick<Identified, "key" | "uid">, message: string, signal: AbortSignal): Promise<void>;
}

/**
 * A row for each target, in the order in which they are asked. The registry comes first: an OCIRepository must not point at
 * what is not there yet.
 */
export type Publishers = Readonly<Record<Target, Publisher>> & {
  readonly oci: OciPublisher;
  readonly externalArtifact: ArtifactPublisher;
};
