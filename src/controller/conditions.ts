import { ConditionType, Reason } from "../../api/v1beta1/conditions.ts";
import type { Condition } from "../../api/v1beta1/status.ts";
import { setCondition, type ConditionContext, type ConditionDraft } from "../kube/conditions.ts";
import { message as shown } from "../text/printable.ts";
import type { Verification } from "../verify/verifier.ts";

/** Longer than any list of candidates, and short enough to be read. */
const maxMessageBytes = 8000;

/** Gives drafts the times of conditions that were already so; those that are not drafted are gone. */
export function settle(
  drafts: readonly ConditionDraft[],
  before: readonly Condition[],
  context: ConditionContext,
): Condition[] {
  const kept = before.filter(({ type }) => drafts.some((draft) => draft.type === type));
  return [
    ...drafts.reduce(
      (conditions, draft) =>
        setCondition(conditions, { ...draft, message: shown(draft.message, maxMessageBytes) }, context),
      kept as readonly Condition[],
    ),
  ];
}

export function carried(before: readonly Condition[], type: string): ConditionDraft[] {
  return before.filter((condition) => condition.type === type);
}

export function sourceVerified(verification: Verification | undefined): ConditionDraft[] {
  if (verification?.result !== "verified") return [];
  return [
    {
      type: ConditionType.SourceVerified,
      status: "True",
      reason: Reason.Succeeded,
      message: `verified ${verification.provider} signature of ${verification.identity}`,
    },
  ];
}

/** The same as a condition of its own, for those who watch what is published. */
export function verifiedCondition(
  verification: Verification | undefined,
  { now, generation }: { readonly now: Date; readonly generation: number },
): Condition | undefined {
  const [draft] = sourceVerified(verification);
  return (
    draft && { ...draft, lastTransitionTime: `${now.toISOString().slice(0, 19)}Z`, observedGeneration: generation }
  );
}
