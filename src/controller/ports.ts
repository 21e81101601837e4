import type { ExternalArtifact } from "../../api/flux/source.ts";
import { CodedError, codeOf, type ErrorCode } from "../errors.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import type { Limits } from "../oci/limits.ts";
import type { Identified } from "../pipeline/object.ts";
import type { Scratch, Sources } from "../pipeline/ports.ts";
import type { SharedBuilds } from "../pipeline/shared-builds.ts";
import type { Publishers } from "../publish/port.ts";
import type { ArtifactStore } from "../store/store.ts";
import type { Verifier } from "../verify/verifier.ts";

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
  /** How long to wait before a storage is believed to have lost most of its objects. */
  readonly orphanPauseMs: number;
  /** After how long a reconcile that still runs says so in the status. */
  readonly progressAfterMs: number;
  /** The part of their interval within which objects that are as they should be are checked upstream after a start. */
  readonly spreadAfterStart: number;
}

/** Everything the reconciler is handed. */
export interface Deps {
  readonly kube: KubeClient;
  readonly sources: Sources;
  readonly verifier: Verifier;
  readonly store: ArtifactStore;
  readonly publishers: Publishers;
  /** As a cache has it: whoever made it. */
  readonly cachedExternalArtifact: (key: ObjectKey) => ExternalArtifact | undefined;
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

/** Another attempt with back-off, and not before the other side wants one. */
export function retryOf(error: unknown): Next {
  const notBeforeMs = (error instanceof CodedError ? error.retryAfterMs : undefined) ?? 0;
  return { kind: "retry", code: codeOf(error), notBeforeMs };
}
