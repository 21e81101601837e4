import type { SelectedStatus } from "../../api/v1beta1/status.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import type { RunningBuild } from "../pipeline/shared-builds.ts";
import type { Published } from "../publish/port.ts";
import type { Artifact } from "../store/store.ts";
import type { Verification } from "../verify/verifier.ts";
import type { Cooling } from "../pipeline/old-enough.ts";
import type { FailingStage } from "./policy.ts";

/** The same is being built for another object: to be waited for outside of any worker, for a while. */
export interface Waiting {
  readonly kind: "waiting";
  readonly build: RunningBuild;
  readonly patienceMs: number;
}

/** What a run has stored, and why it was built. */
export interface Built {
  readonly reason: string;
  readonly artifact: Artifact;
  readonly selected: SelectedStatus;
}

/** What a run has found out, also where it fails then. */
export interface Known {
  /** What it was at, where that matters to a failure. */
  readonly stage?: FailingStage | undefined;
  readonly resolved?: Resolved;
  readonly verification?: Verification | undefined;
  /** What `spec.component` names. */
  readonly found?: FoundResource | undefined;
  /** The artifact that is stored and served. */
  readonly stored?: Artifact | undefined;
  readonly built?: Built;
}

/** The artifact is stored, and known wherever the spec says. */
export interface Done {
  readonly kind: "done";
  readonly resolved: Resolved;
  readonly verification: Verification | undefined;
  readonly found: FoundResource | undefined;
  readonly artifact: Artifact;
  /** Undefined where this run has built nothing. */
  readonly built: Built | undefined;
  readonly published: Published;
  /** Where a newer version waits until it is old enough. */
  readonly cooling: Cooling | undefined;
}

export type RunResult = Done | Waiting | { readonly kind: "failed"; readonly error: unknown; readonly known: Known };
