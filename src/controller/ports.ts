import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { Condition, PublishedStatus } from "../../api/v1beta1/status.ts";
import type { ErrorCode } from "../errors.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import type { Scratch, Sources } from "../pipeline/ports.ts";
import type { Limits } from "../oci/limits.ts";
import type { SharedBuilds } from "../pipeline/shared-builds.ts";
import type { Layer } from "../oci/types.ts";
import type { Artifact, ArtifactStore } from "../store/store.ts";
import type { Verifier } from "../verify/verifier.ts";

/** An object with the identity that the API server gave it. */
export interface Identified {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly generation: number;
  readonly object: ArtifactRepository;
}

/** What is told to those who watch an ExternalArtifact or OCIRepository. */
export interface Announcement {
  readonly owner: Identified;
  readonly artifact: Artifact;
  readonly sourceVerified: Condition | undefined;
}

/** An object beside the ArtifactRepository that says where its artifact is. */
export interface CompanionPublisher {
  /** @throws NotOwned, CrdMissing, Kube… */
  publish(announcement: Announcement, signal: AbortSignal): Promise<PublishedStatus>;
  /** Deletes it where it is ours. */
  withdraw(owner: Pick<Identified, "key" | "uid">, signal: AbortSignal): Promise<void>;
}

export interface OciPushed {
  /** The rows for `status.published`: what is current first, then older manifests that are still to be deleted one day. */
  readonly rows: readonly PublishedStatus[];
  /** Worth telling once, such as a registry that deletes nothing. */
  readonly note: string | undefined;
}

/** Pushes the stored artifact to `publish.oci.url`. */
export interface OciPublisher {
  /** @throws PublishFailed, InvalidTemplate, SecretNotFound, … */
  push(
    request: {
      readonly owner: Identified;
      readonly target: PublishOci;
      readonly artifact: Artifact;
      readonly previous: readonly PublishedStatus[];
      readonly layer: PushedLayer | undefined;
      readonly transfer: Transfer;
    },
    signal: AbortSignal,
  ): Promise<OciPushed>;
  /** Deletes what was pushed for an object that is going. */
  withdraw(
    request: { readonly owner: Identified; readonly target: PublishOci; readonly previous: readonly PublishedStatus[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** Brings the stored file back from the push target; false where it is not there. */
  refill(
    request: {
      readonly owner: Identified;
      readonly target: PublishOci;
      readonly artifact: Artifact;
      readonly previous: readonly PublishedStatus[];
    },
    signal: AbortSignal,
  ): Promise<boolean>;
}

/** Runs the transfer of so many bytes once there is room for it among the others; what is small is run at once. */
export type Transfer = <T>(bytes: number, work: () => Promise<T>) => Promise<T>;

/** The upstream layer that the artifact is, byte for byte: what a registry may mount instead of taking it again. */
export interface PushedLayer {
  readonly registry: string;
  readonly repository: string;
  readonly layer: Layer;
}

export interface Publishers {
  readonly externalArtifact: CompanionPublisher;
  readonly ociRepository: CompanionPublisher;
  readonly oci: OciPublisher;
}

/** Tells people; never fails and never waits. */
export interface Announcer {
  event(
    owner: Identified,
    event: {
      readonly type: "Normal" | "Warning";
      readonly reason: string;
      readonly message: string;
      readonly metadata?: Readonly<Record<string, string>>;
    },
  ): void;
}

/** Counts and times; never fails. */
export interface Meter {
  stage(name: "resolve" | "verify" | "select" | "operate" | "store" | "publish", milliseconds: number): void;
  downloaded(bytes: number): void;
  /** Bytes of an artifact that were there already and were not fetched again. */
  reused(bytes: number): void;
}

export interface Settings {
  readonly limits: Limits;
  /** Percent of the interval, both ways. */
  readonly intervalJitterPercentage: number;
  readonly requeueDependencyMs: number;
  /** After how long a reconcile that still runs says so in the status. */
  readonly progressAfterMs: number;
}

/** Everything the reconciler is handed. */
export interface Deps {
  readonly kube: KubeClient;
  readonly sources: Sources;
  readonly verifier: Verifier;
  readonly store: ArtifactStore;
  readonly publishers: Publishers;
  readonly builds: SharedBuilds;
  readonly scratch: () => Promise<Scratch>;
  readonly announce: Announcer;
  readonly meter: Meter;
  readonly log: (level: "debug" | "info" | "error", message: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly settings: Settings;
  readonly now: () => Date;
  readonly random: () => number;
}

/** What the queue is to do with the object next. */
export type Next =
  /** Reconcile again after this time. */
  | { readonly kind: "after"; readonly milliseconds: number }
  /** Try again with back-off, not before `notBeforeMs`. */
  | { readonly kind: "retry"; readonly notBeforeMs: number; readonly code: ErrorCode }
  /** Reconcile again once `until` resolves, at the latest after this time. Nothing has failed, and nothing was decided. */
  | { readonly kind: "wait"; readonly until: Promise<void>; readonly milliseconds: number }
  /** Only a change of the object brings it back. */
  | { readonly kind: "forget" };
