import { defaultLimits } from "../../config.ts";
import { Alternatives } from "../../pipeline/alternatives.ts";
import { takeOldEnough } from "../../pipeline/old-enough.ts";
import type { Resolved } from "../../pipeline/resolve.ts";
import { selectRequest } from "../../pipeline/select.ts";
import { verifySource, type Verified } from "../../pipeline/verify.ts";
import type { Decision } from "../../select/selection.ts";
import type { Verifier } from "../../verify/verifier.ts";
import type { BuildSource } from "./source.ts";

export interface TakeOptions {
  readonly verifier: Verifier;
  readonly signal: AbortSignal;
  readonly onDecision?: ((decision: Decision) => void) | undefined;
  /** Told of each version before it is looked at. */
  readonly onAttempt?: (resolved: Resolved) => void;
}

/** Verifies what was resolved or, as the controller does, the newest version that is old enough for `verify.minAge`. */
export async function takeVerified(
  { object, repository, repositoryPath, policy, rule }: BuildSource,
  newest: Resolved,
  { verifier, signal, onDecision, onAttempt }: TakeOptions,
) {
  const { spec } = object;
  const alternatives = new Alternatives({ rule, repository, stored: undefined, url: spec.url });
  const attempt = async (resolved: Resolved) => {
    onAttempt?.(resolved);
    const common = { spec, repository, repositoryPath, resolved, limits: defaultLimits, signal };
    const select = selectRequest(common, onDecision);
    const isComponent = spec.component !== undefined;
    const verified: Verified = await verifySource({ verifier, policy, repository, select, isComponent });
    return { common, ...verified };
  };
  return await takeOldEnough(newest, { attempt, next: (young) => alternatives.next(young, signal) });
}
