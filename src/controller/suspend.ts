import type { Identified, RawObject } from "../pipeline/object.ts";
import { readRequestedAt, requestFor } from "../publish/external-artifact.ts";
import { isLost, lostStatus, tellLoss } from "./loss.ts";
import type { ReconcileContext } from "./memory.ts";
import type { Deps, Next } from "./ports.ts";
import { suspendedStatus, type Requests, type StatusBasis } from "./status.ts";
import { writeStatus } from "./status-writer.ts";

/** What the status of an object is made from now. */
export function basisOf(owner: Identified, known: RawObject, deps: Deps): StatusBasis {
  const before = known.status ?? {};
  return { before, generation: owner.generation, requests: requestsOf(owner, known, deps), now: deps.now() };
}

function requestsOf({ key, uid }: Pick<Identified, "key" | "uid">, known: RawObject, deps: Deps): Requests {
  const artifact = deps.cachedExternalArtifact(key);
  return { object: readRequestedAt(known), externalArtifact: artifact && requestFor(uid, artifact) };
}

/**
 * Nothing happens until it is resumed, and the status says that there is nothing to wait for; also that the stored file is gone,
 * where it is.
 */
export async function suspend(
  owner: Identified,
  known: RawObject,
  { memory, deps, signal }: ReconcileContext,
): Promise<Next> {
  const basis = basisOf(owner, known, deps);
  const isGone = await isLost(owner, known.status, deps.store);
  const after = suspendedStatus(isGone ? { ...basis, before: lostStatus(basis, true) } : basis);
  const written = isGone
    ? await tellLoss(owner, { known, after, isSuspended: true }, deps, signal)
    : await writeStatus({ kube: deps.kube, owner, known, after }, signal);
  if (written !== undefined) memory.statuses.remember(owner.uid, known.metadata.resourceVersion, written);
  return { kind: "forget" };
}
