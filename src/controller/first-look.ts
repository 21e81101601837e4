import type { Condition } from "../../api/v1beta1/status.ts";
import { ConditionType } from "../../api/v1beta1/conditions.ts";
import { isConditionTrue } from "../kube/conditions.ts";
import { publishWanted, storeOwner, type Identified } from "../pipeline/object.ts";
import { contentChecksum, intervalMs } from "../pipeline/spec.ts";
import { announces } from "../publish/external-artifact.ts";
import type { ReconcileContext } from "./memory.ts";
import type { Deps, Next } from "./ports.ts";
import { isUnhandled, type StatusBasis } from "./status.ts";
import { artifactOf, isServedHere } from "./stored.ts";

/**
 * What comes next for an object that this process sees for the first time, and that has nothing to be done for: its file is read
 * and whole, its status and its ExternalArtifact say so. Upstream is asked at some time within a part of the interval: after a
 * start no registry is asked for all objects at once. Undefined where the object is to be reconciled now.
 */
export async function restAfterStart(
  owner: Identified,
  basis: StatusBasis,
  context: ReconcileContext,
): Promise<Next | undefined> {
  const { deps, memory } = context;
  const longestMs = intervalMs(owner.object.spec) * deps.settings.spreadAfterStart;
  if (longestMs === 0 || memory.isRequested(owner.uid) || !isAtRest(owner, basis)) return undefined;
  if (!isAnnounced(owner, basis, deps) || !(await isWhole(owner, basis, context))) return undefined;
  return { kind: "after", milliseconds: Math.round(longestMs * deps.random()) };
}

/** Nothing was edited or asked for, nothing failed, and nothing else than time decides what comes next. */
function isAtRest({ object: { spec }, generation }: Identified, { before, requests }: StatusBasis): boolean {
  return (
    before.observedGeneration === generation &&
    before.observedContentConfigChecksum === contentChecksum(spec) &&
    spec.ref?.imagePolicyRef === undefined &&
    !isUnhandled(requests, before) &&
    areCalm(before.conditions ?? [])
  );
}

const unrest: ReadonlySet<string> = new Set([
  ConditionType.Reconciling,
  ConditionType.Stalled,
  ConditionType.ArtifactOutdated,
  ConditionType.FetchFailed,
  ConditionType.StorageOperationFailed,
]);

/** Of an object that is ready, and waits for no version to grow old enough. */
function areCalm(conditions: readonly Condition[]): boolean {
  return isConditionTrue(conditions, ConditionType.Ready) && !conditions.some(({ type }) => unrest.has(type));
}

/** Whether consumers are sent to this storage, and find there what they are told of: the file is read. */
async function isWhole(owner: Identified, { before }: StatusBasis, context: ReconcileContext): Promise<boolean> {
  const { deps, memory, signal } = context;
  const artifact = artifactOf(before);
  if (artifact === undefined || !isServedHere(before, deps.store)) return false;
  try {
    if ((await deps.store.verify(storeOwner(owner), artifact, signal)) !== "ok") return false;
  } catch {
    // The reconcile meets it again, and says so.
    return false;
  }
  memory.intact(owner.uid, artifact.digest);
  return true;
}

/** Whether the ExternalArtifact, where one is wanted, says what the status says. Somebody may have changed it meanwhile. */
function isAnnounced(owner: Identified, { before }: StatusBasis, deps: Deps): boolean {
  const artifact = artifactOf(before);
  if (artifact === undefined || publishWanted(owner.object.spec).externalArtifact === undefined) return true;
  const live = deps.cachedExternalArtifact(owner.key);
  return live !== undefined && announces(live, owner, artifact);
}
