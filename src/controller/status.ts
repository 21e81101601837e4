import { UPSTREAM_DIGEST_ANNOTATION } from "../../api/v1beta1/constants.ts";
import { ConditionType, Reason } from "../../api/v1beta1/conditions.ts";
import type {
  ArtifactRepositoryStatus,
  ComponentStatus,
  Condition,
  PublishedStatus,
  SelectedStatus,
  UpstreamStatus,
} from "../../api/v1beta1/status.ts";
import { formatVersion } from "../oci/reference.ts";
import { type Artifact, tagOfRevision } from "../store/store.ts";
import type { Verification } from "../verify/verifier.ts";
import type { ConditionDraft } from "../kube/conditions.ts";
import { type Cooling, coolingMessage } from "../pipeline/old-enough.ts";
import { carried, settle, sourceVerified } from "./conditions.ts";
import { judge, type FailingStage } from "./policy.ts";
import type { Resolved } from "../pipeline/resolve.ts";

/** What the annotation `reconcile.fluxcd.io/requestedAt` says, where it is there. */
export interface Requests {
  readonly object: string | undefined;
  readonly externalArtifact: string | undefined;
}

/** What every status is made from. */
export interface StatusBasis {
  readonly before: ArtifactRepositoryStatus;
  readonly generation: number;
  readonly requests: Requests;
  readonly now: Date;
}

/** What is known once the artifact is stored and published. */
export interface Success {
  readonly url: string;
  readonly resolved: Resolved;
  readonly artifact: Artifact;
  readonly latestUrl: string;
  readonly component: ComponentStatus | undefined;
  readonly selected: SelectedStatus | undefined;
  readonly verification: Verification | undefined;
  readonly published: readonly PublishedStatus[];
  readonly publishedNote: string | undefined;
  readonly checksum: string;
  readonly ignore: string | undefined;
  /** Where a newer version waits until it is old enough. */
  readonly cooling: Cooling | undefined;
}

/** What is known when something fails. */
export interface Failure {
  readonly error: unknown;
  readonly stage?: FailingStage | undefined;
  readonly url: string | undefined;
  readonly resolved: Resolved | undefined;
  readonly verification: Verification | undefined;
  /** Whether the artifact of the status is stored and served. */
  readonly isStored: boolean;
  /** The artifact as it is stored now, where it is newer than the status. */
  readonly stored: Partial<ArtifactRepositoryStatus>;
}

export function successStatus(basis: StatusBasis, facts: Success): ArtifactRepositoryStatus {
  const stored = `stored artifact for revision '${facts.artifact.revision}'`;
  const waiting = facts.cooling === undefined ? [] : [coolingMessage(facts.cooling)];
  const drafts: ConditionDraft[] = [
    { type: ConditionType.Ready, status: "True", reason: Reason.Succeeded, message: [stored, ...waiting].join("; ") },
    ...waiting.map(
      (message) => ({ type: ConditionType.ArtifactOutdated, status: "True", reason: "TooYoung", message }) as const,
    ),
    { type: ConditionType.ArtifactInStorage, status: "True", reason: Reason.Succeeded, message: stored },
    { type: ConditionType.Published, status: "True", reason: Reason.Succeeded, message: publishedMessage(facts) },
    ...sourceVerified(facts.verification),
  ];
  return {
    observedGeneration: basis.generation,
    conditions: settle(drafts, basis.before.conditions ?? [], basis),
    ...handled(basis),
    ...(facts.ignore !== undefined && { observedIgnore: facts.ignore }),
    observedContentConfigChecksum: facts.checksum,
    artifact: facts.artifact,
    url: facts.latestUrl,
    upstream: upstreamStatus(facts.url, facts.resolved),
    ...(facts.component && { component: facts.component }),
    ...(facts.selected && { selected: facts.selected }),
    published: [...facts.published],
  };
}

/** The last good artifact stays in the status, as it stays served. */
export function failureStatus(basis: StatusBasis, facts: Failure): ArtifactRepositoryStatus {
  const before = { ...basis.before, ...facts.stored };
  const { condition, reason, next, message } = judge(facts.error, facts.stage);
  const isNegative = condition === ConditionType.FetchFailed || condition === ConditionType.StorageOperationFailed;
  const whole = next === "stall" ? ConditionType.Stalled : condition;
  const drafts: ConditionDraft[] = [
    { type: ConditionType.Ready, status: "False", reason, message: shortForm(message, whole) },
    { type: condition, status: isNegative ? "True" : "False", reason, message },
    next === "stall"
      ? { type: ConditionType.Stalled, status: "True", reason, message }
      : { type: ConditionType.Reconciling, status: "True", reason: Reason.ProgressingWithRetry, message },
    ...keptConditions(before, facts, condition),
  ];
  return {
    ...before,
    ...(next === "stall" && { observedGeneration: basis.generation }),
    conditions: settle(drafts, basis.before.conditions ?? [], basis),
    ...handled(basis),
    ...(facts.resolved && facts.url !== undefined && { upstream: upstreamStatus(facts.url, facts.resolved) }),
  };
}

/**
 * As source-controller has it: the generation and the request are dealt with, and whoever waits for them (kstatus, `wait: true`
 * of a Kustomization, `flux reconcile`) sees what was so before. An object that nothing is done for waits for nothing either.
 */
export function suspendedStatus(basis: StatusBasis): ArtifactRepositoryStatus {
  const { before, generation } = basis;
  const kept = (before.conditions ?? []).filter(({ type }) => type !== ConditionType.Stalled);
  return {
    ...before,
    observedGeneration: generation,
    ...handled(basis),
    conditions: kept.map((condition) => atRest(condition, generation)),
  };
}

function atRest(condition: Condition, generation: number): Condition {
  if (condition.type === ConditionType.Ready) return { ...condition, observedGeneration: generation };
  if (condition.type !== ConditionType.Reconciling) return condition;
  return { ...condition, reason: Reason.ProgressingWithRetry };
}

/** The line that says what happened; the condition that is named has the rest: what there is, and what to write. */
function shortForm(message: string, whole: string): string {
  const [first = "", ...rest] = message.split("\n");
  return rest.length === 0 ? message : `${first.replace(/:$/, "")}; see the condition ${whole}`;
}

/** The object says that it is being worked on. */
export function progressConditions(
  { before, generation, now }: Omit<StatusBasis, "requests">,
  message: string,
): Condition[] {
  const kept = (before.conditions ?? []).filter(
    ({ type }) => type !== ConditionType.Reconciling && type !== ConditionType.Stalled,
  );
  const isCurrent = before.observedGeneration === generation && kept.some(({ type }) => type === ConditionType.Ready);
  const drafts: ConditionDraft[] = [
    ...kept.filter(({ type }) => isCurrent || type !== ConditionType.Ready),
    ...(isCurrent
      ? []
      : [{ type: ConditionType.Ready, status: "Unknown", reason: Reason.Progressing, message } as const]),
    { type: ConditionType.Reconciling, status: "True", reason: Reason.Progressing, message },
  ];
  return settle(drafts, before.conditions ?? [], { generation, now });
}

function keptConditions(before: ArtifactRepositoryStatus, facts: Failure, failed: string): ConditionDraft[] {
  const conditions = before.conditions ?? [];
  const verified = facts.verification
    ? sourceVerified(facts.verification)
    : carried(conditions, ConditionType.SourceVerified);
  const kept = [
    ...storageConditions(before.artifact, facts),
    ...verified,
    ...carried(conditions, ConditionType.Published),
  ];
  return kept.filter(({ type }) => type !== failed);
}

/** That the artifact is served, and that it is not the newest. */
function storageConditions(
  artifact: ArtifactRepositoryStatus["artifact"],
  { isStored, resolved }: Failure,
): ConditionDraft[] {
  if (artifact === undefined) return [];
  const drafts: ConditionDraft[] = [];
  if (isStored)
    drafts.push({
      type: ConditionType.ArtifactInStorage,
      status: "True",
      reason: Reason.Succeeded,
      message: `stored artifact for revision '${artifact.revision}'`,
    });
  if (resolved === undefined || isOf(artifact, resolved)) return drafts;
  const revision = formatVersion({ tag: resolved.tag, digest: resolved.root.digest });
  return [
    ...drafts,
    {
      type: ConditionType.ArtifactOutdated,
      status: "True",
      reason: Reason.NewRevision,
      message: `upstream is now ${revision}, which is not published yet`,
    },
  ];
}

/** Whether the artifact was made of that tag and digest; as in Flux, another tag for the same digest is news. */
function isOf(
  { revision, metadata }: NonNullable<ArtifactRepositoryStatus["artifact"]>,
  { tag, root }: Resolved,
): boolean {
  return tagOfRevision(revision) === tag && metadata?.[UPSTREAM_DIGEST_ANNOTATION] === root.digest;
}

function publishedMessage({ published, publishedNote }: Success): string {
  const places = published.filter(({ kind, tags }) => kind !== "OCIArtifact" || tags !== undefined);
  const names = places.map(({ kind, name, url }) => `${kind} ${name ?? url}`);
  return `published as ${names.join(", ") || "nothing"}${publishedNote === undefined ? "" : `; ${publishedNote}`}`;
}

function upstreamStatus(url: string, { tag, root }: Resolved): UpstreamStatus {
  return { url, ...(tag !== undefined && { tag }), digest: root.digest, mediaType: root.mediaType };
}

/** Whether somebody has asked for a reconcile that no status has told of. */
export function isUnhandled({ object, externalArtifact }: Requests, status: ArtifactRepositoryStatus): boolean {
  return (
    (object !== undefined && object !== status.lastHandledReconcileAt) ||
    (externalArtifact !== undefined && externalArtifact !== status.lastHandledExternalArtifactReconcileAt)
  );
}

function handled({
  requests,
  before,
}: StatusBasis): Pick<ArtifactRepositoryStatus, "lastHandledReconcileAt" | "lastHandledExternalArtifactReconcileAt"> {
  const object = requests.object ?? before.lastHandledReconcileAt;
  const companion = requests.externalArtifact ?? before.lastHandledExternalArtifactReconcileAt;
  return {
    ...(object !== undefined && { lastHandledReconcileAt: object }),
    ...(companion !== undefined && { lastHandledExternalArtifactReconcileAt: companion }),
  };
}
