import { CodedError } from "../errors.ts";
import { artifactName } from "./findings.ts";
import type { Verification, VerifyPolicy, VerifyRequest } from "./verifier.ts";

/**
 * How many milliseconds are left until a good signature is as old as the policy asks for; none where it asks for no age.
 * Infinite where nobody vouches for a time.
 */
export function msUntilOld(
  { signedAt }: Pick<Verification, "signedAt">,
  { minAgeMs }: Pick<VerifyPolicy, "minAgeMs">,
  now: number,
): number {
  return minAgeMs === undefined ? 0 : (signedAt ?? Infinity) + minAgeMs - now;
}

/**
 * @param now milliseconds since the epoch
 * @returns the same verification
 * @throws TooYoung; VerificationFailed where nobody vouches for a time
 */
export function assertOld(
  verification: Verification,
  { repository, root, policy }: Pick<VerifyRequest, "repository" | "root" | "policy">,
  now: number,
): Verification {
  const left = msUntilOld(verification, policy, now);
  if (left <= 0) return verification;
  const name = artifactName(repository, root);
  const { signedAt, identity } = verification;
  if (signedAt === undefined)
    throw new CodedError(
      "VerificationFailed",
      `${name} has a signature of ${identity}, but nobody vouches for its time, which verify.minAge needs; sign it with a timestamp, or remove verify.minAge`,
      { details: { signatures: 1 } },
    );
  const until = Math.min(now + left, latestTime);
  throw new CodedError(
    "TooYoung",
    `${name} was signed at ${timeText(signedAt)}, by ${identity}; verify.minAge lets it be taken at ${timeText(until)}`,
    { details: { until } },
  );
}

/** The last moment that a Date can be (ECMA-262, "Time Values and Time Range"). */
const latestTime = 8.64e15;
const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
