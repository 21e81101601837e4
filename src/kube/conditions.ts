import type { Condition } from "../../api/v1beta1/status.ts";
import { timestamp } from "../text/kube-text.ts";
import { message as shown } from "../text/printable.ts";

/** What a controller says of one aspect; when it began to be so is worked out. */
export type ConditionDraft = Pick<Condition, "type" | "status" | "reason" | "message">;

/** The object that conditions belong to, as far as it matters to them. */
export interface ConditionContext {
  readonly generation: number | undefined;
  readonly now: Date;
}

/** The API server takes no longer message (metav1.Condition). */
const maxMessageBytes = 32_768;

/** These lead, in this order; all others follow by name. */
const leading = ["Stalled", "Reconciling", "Ready"];

export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** Whether the condition is there and "True". */
export function isConditionTrue(conditions: readonly Condition[], type: string): boolean {
  return findCondition(conditions, type)?.status === "True";
}

/**
 * The conditions with one of them set. `lastTransitionTime` changes only with `status`, as metav1.Condition has it. The very
 * same array is returned where there is nothing to change.
 */
export function setCondition(
  conditions: readonly Condition[],
  draft: ConditionDraft,
  { generation, now }: ConditionContext,
): readonly Condition[] {
  const before = findCondition(conditions, draft.type);
  const condition: Condition = {
    type: draft.type,
    status: draft.status,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: before?.status === draft.status ? before.lastTransitionTime : timestamp(now),
    reason: draft.reason,
    message: shown(draft.message, maxMessageBytes),
  };
  if (before !== undefined && isSame(before, condition)) return conditions;
  return [...removeCondition(conditions, draft.type), condition].toSorted(inOrder);
}

/** The very same array where there is no such condition. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return findCondition(conditions, type) === undefined
    ? conditions
    : conditions.filter((condition) => condition.type !== type);
}

function isSame(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration &&
    a.lastTransitionTime === b.lastTransitionTime
  );
}

function inOrder(a: Condition, b: Condition): number {
  const [first, second] = [placeOf(a.type), placeOf(b.type)];
  if (first !== second) return first - second;
  return a.type < b.type ? -1 : 1;
}

function placeOf(type: string): number {
  const place = leading.indexOf(type);
  return place === -1 ? leading.length : place;
}
