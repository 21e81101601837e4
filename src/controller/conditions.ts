import { ConditionType, Reason } from "../../api/v1beta1/conditions.ts";
import type { Condition } from "../../api/v1beta1/status.ts";
import type { Verification } from "../verify/verifier.ts";

/** A condition without the times and generations that depend on what was there before. */
export type ConditionDraft = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Longer than any list of candidates; the API server refuses more than 32,768. */
const maxMessageLength = 8000;

const order: readonly string[] = Object.values(ConditionType);

/** Gives drafts the times of conditions that were already so; those that are not drafted are gone. */
export function settle(drafts: readonly ConditionDraft[], before: readonly Condition[], generation: number, now: Date): Condition[] {
  return drafts
    .map((draft) => {
      const old = before.find(({ type }) => type === draft.type);
      const lastTransitionTime = old?.status === draft.status ? old.lastTransitionTime : `${now.toISOString().slice(0, 19)}Z`;
      const message = draft.message.length > maxMessageLength ? `${draft.message.slice(0, maxMessageLength)}…` : draft.message;
      return { ...draft, message, lastTransitionTime, observedGeneration: generation };
    })
    .sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}

export function carried(before: readonly Condition[], type: string): ConditionDraft[] {
  return before.filter((condition) => condition.type === type);
}

export function sourceVerified(verification: Verification | undefined): ConditionDraft[] {
  if (verification?.result !== "verified") return [];
  return [{ type: ConditionType.SourceVerified, status: "True", reason: Reason.Succeeded, message: `verified ${verification.provider} signature of ${verification.identity}` }];
}
