import { ConditionType, Reason } from "../../api/v1beta1/conditions.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { storeOwner, type Identified, type RawObject } from "../pipeline/object.ts";
import { settle } from "./conditions.ts";
import type { Deps } from "./ports.ts";
import { progressConditions, type StatusBasis } from "./status.ts";
import { writeStatus } from "./status-writer.ts";
import { artifactOf, isServedHere } from "./stored.ts";

type Whose = Pick<Identified, "key" | "uid">;

/** Whether a status sends consumers to a file of this storage that is not there, or not of its size. @throws StorageFailed */
export async function isLost(
  { key }: Pick<Identified, "key">,
  status: ArtifactRepositoryStatus | undefined,
  store: Deps["store"],
): Promise<boolean> {
  const artifact = artifactOf(status ?? {});
  return artifact !== undefined && isServedHere(status, store) && !(await store.has(storeOwner({ key }), artifact));
}

/** The status without an artifact. What is said depends on whether it will be made again without being asked. */
export function lostStatus(basis: Omit<StatusBasis, "requests">, isSuspended: boolean): ArtifactRepositoryStatus {
  const before = withoutArtifact(basis.before);
  const conditions = isSuspended
    ? settle(
        [{ type: ConditionType.Ready, status: "False", reason: Reason.Suspended, message: lossMessage(true) }],
        before.conditions ?? [],
        basis,
      )
    : progressConditions({ ...basis, before: { ...before, conditions: [] } }, lossMessage(false));
  return { ...before, conditions };
}

/**
 * Takes the artifact out of both statuses at once, since making it again may take minutes, or not be possible: nobody is to be
 * sent to what is not there. Returns the object as it is then. @throws Kube…
 */
export async function tellLoss(
  owner: Whose,
  { known, after, isSuspended }: { known: RawObject; after: ArtifactRepositoryStatus; isSuspended: boolean },
  { kube, publishers }: Deps,
  signal: AbortSignal,
): Promise<RawObject> {
  const written = await writeStatus({ kube, owner, known, after }, signal);
  await publishers.externalArtifact.retract(owner, lossMessage(isSuspended), signal);
  return written ?? known;
}

function lossMessage(isSuspended: boolean): string {
  const outlook = isSuspended ? "it is made again once the object is resumed" : "it is being made again";
  return `the stored artifact is missing or damaged; ${outlook}`;
}

export function withoutArtifact(status: ArtifactRepositoryStatus): ArtifactRepositoryStatus {
  const gone = new Set(["artifact", "url", "selected"]);
  return Object.fromEntries(Object.entries(status).filter(([field]) => !gone.has(field)));
}
