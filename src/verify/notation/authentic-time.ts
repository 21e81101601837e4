import type { X509Certificate } from "node:crypto";
import { codeOf, messageOf } from "../../errors.ts";
import type { NotationPolicy } from "../verifier.ts";
import { subjectOf } from "./certificate.ts";
import type { Envelope } from "./envelope.ts";
import type { Answers } from "./revocation/answers.ts";
import { chainState, provenLinks } from "./revocation/revocation.ts";
import { type Timestamp, verifyTimestamp } from "./timestamp.ts";
import type { TrustStatement } from "./trust-policy.ts";

/** When a signature was made. Times are milliseconds since the epoch. */
export interface AuthenticTime {
  /** In words: why the certificates are not known to have been valid then. */
  readonly problem: string | undefined;
  /** The latest time that somebody vouches for; undefined where nobody does. */
  readonly signedAt: number | undefined;
  /** When the authority's own certificates have to be asked about anew. */
  readonly until: number;
}

interface TimeContext {
  readonly statement: TrustStatement;
  readonly policy: NotationPolicy;
  readonly now: number;
  readonly answers: Answers;
}

/**
 * When the signature was made is known from the signing authority or from a timestamp; else the chain has to be valid now. A
 * timestamp counts where the statement has a trust store for it (trust-store-trust-policy.md, "Timestamp Countersignature
 * Verification details"), and where an age is asked for, which nothing else would prove.
 *
 * @throws what the signal was aborted with
 */
export async function timeOf(envelope: Envelope, context: TimeContext, signal: AbortSignal): Promise<AuthenticTime> {
  const { chain, scheme, signingTime } = envelope;
  const { statement, policy, now } = context;
  if (scheme === "notary.x509.signingAuthority")
    return { problem: problemThen(chain, signingTime), signedAt: signingTime, until: Infinity };
  const isExpired = chain.some(({ validToDate }) => now > validToDate.getTime());
  const isWanted = statement.timestampAlways || isExpired || policy.minAgeMs !== undefined;
  if (!statement.stores.includes("tsa") || !isWanted)
    return { problem: problemNow(chain, now), signedAt: undefined, until: Infinity };
  return await timestampOf(envelope, context, signal);
}

function problemThen(chain: Envelope["chain"], time: number): string | undefined {
  const invalid = invalidAt(chain, time, time);
  return invalid && `${subjectOf(invalid)} was not valid when it signed (${rangeOf(invalid)})`;
}

function problemNow(chain: Envelope["chain"], now: number): string | undefined {
  const invalid = invalidAt(chain, now, now);
  return invalid && `${subjectOf(invalid)} is ${rangeOf(invalid)}, not now`;
}

/** The first certificate that is not valid all the time. */
function invalidAt(chain: Envelope["chain"], from: number, to: number): X509Certificate | undefined {
  return chain.find(({ validFromDate, validToDate }) => from < validFromDate.getTime() || to > validToDate.getTime());
}

const advice = 'override authenticTimestamp with "log" in the trust policy';

/** Its authority may be revoked just as a signer, and that is enforced with it, whatever is to be done about signers. */
async function timestampOf(
  { chain, signature, timestamp }: Envelope,
  { policy, answers, now }: TimeContext,
  signal: AbortSignal,
): Promise<AuthenticTime> {
  const bad = (problem: string): AuthenticTime => ({ problem, signedAt: undefined, until: Infinity });
  if (timestamp === undefined)
    return bad(
      "it has no timestamp countersignature, which the trust store tsa asks for; sign it with --timestamp-url",
    );
  let found: Timestamp;
  try {
    found = verifyTimestamp(timestamp, signature, policy.certificates);
  } catch (error) {
    if (codeOf(error) !== "VerificationFailed") throw error;
    return bad(messageOf(error));
  }
  const { from, to } = found;
  const invalid = invalidAt(chain, from, to);
  if (invalid !== undefined)
    return bad(
      `${subjectOf(invalid)} was not valid when it was timestamped, between ${timeText(from)} and ${timeText(to)} (${rangeOf(invalid)})`,
    );
  const links = provenLinks(found.chain, ({ raw }) => policy.certificates.some((trusted) => trusted.raw.equals(raw)));
  const { problem, until } = await chainState(links, { answers, now, signedAt: undefined, signal, advice });
  return problem === undefined
    ? { problem, signedAt: to, until }
    : bad(`of its timestamp countersignature: ${problem}`);
}

function rangeOf({ validFromDate, validToDate }: X509Certificate): string {
  return `valid from ${timeText(validFromDate.getTime())} to ${timeText(validToDate.getTime())}`;
}

/** @param time milliseconds since the epoch */
export const timeText = (time: number): string => new Date(time).toISOString();
