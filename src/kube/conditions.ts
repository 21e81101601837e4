import type { Condition } from "../../api/v1beta1/status.ts";
import { timestamp } from "./text.ts";

/** What a controller says of one aspect; when it began to be so is worked out. */
export type ConditionDraft = Pick<Condition, "type" | "status" | "reason" | "message">;

/** The object that conditions belong to, as far as it matters to them. */
export interface ConditionContext {
  readonly generation: number | undefined;
  readonly now: Date;
}

/** The API server takes no longer message (metav1.Condition). */
const maxMessageLength = 32_768;
const cut = "...";

/** These lead, in this order; all others follow by name. */
const leading = ["Stalled", "Reconciling", "Ready"];

export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[], type: string): boolean {
  return findCondition(conditions, type)?.status === "True";
}

export function isFalse(conditions: readonly Condition[], type: string): boolean {
  return findCondition(conditions, type)?.status === "False";
}

/**
 * The conditions with one of them set. `lastTransitionTime` changes only with `status`, as metav1.Condition has it. The very
 * same array is returned where there is nothing to change.
 */
export function setCondition(conditions: readonly Condition[], draft: ConditionDraft, { generation, now }: ConditionContext): readonly Condition[] {
  const before = findCondition(conditions, draft.type);
  const condition: Condition = {
    type: draft.type,
    status: draft.status,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: before?.status === draft.status ? before.lastTransitionTime : timestamp(now),
    reason: draft.reason,
    message: draft.message.length <= maxMessageLength ? draft.message : draft.message.slice(0, maxMessageLength - cut.length) + cut,
  };
  if (before !== undefined && isSame(before, condition)) return conditions;
  return [...removeCondition(conditions, draft.type), condition].toSorted(inOrder);
}

/** The very same array where there is no such condition. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return findCondition(conditions, type) === undefined ? conditions : conditions.filter((condition) => condition.type !== type);
}

/** Which conditions make a summary, the most telling first, and which of them are bad when they are true. */
export interface SummaryRule {
  readonly of: readonly string[];
  readonly negative: readonly string[];
}

/**
 * One condition that stands for several, as Flux's Ready does: false where a bad one is true, or a good one false; otherwise true
 * where a good one is true, or a bad one known to be false; otherwise unknown. Reason and message are those of the condition
 * that decided, the first in `rule.of` among equals. Undefined where none of them exists.
 */
export function summarise(conditions: readonly Condition[], type: string, rule: SummaryRule): ConditionDraft | undefined {
  const present = rule.of.flatMap((name) => findCondition(conditions, name) ?? []);
  const ranked = present.map((condition) => ({ condition, negative: rule.negative.includes(condition.type) }));
  const deciding = ranked.toSorted((a, b) => rankOf(a) - rankOf(b))[0];
  if (deciding === undefined) return undefined;
  const { condition, negative } = deciding;
  const inverse = { True: "False", False: "True", Unknown: "Unknown" } as const;
  return { type, status: negative ? inverse[condition.status] : condition.status, reason: condition.reason, message: condition.message };
}

function rankOf({ condition, negative }: { readonly condition: Condition; readonly negative: boolean }): number {
  if (condition.status === "Unknown") return 4;
  if (condition.status === "True") return negative ? 0 : 2;
  return negative ? 3 : 1;
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
