import type { X509Certificate } from "node:crypto";
import { hexOf } from "../../oci/digest.ts";
import type { Descriptor } from "../../oci/types.ts";
import { objectOf } from "../../text/json.ts";
import { refused } from "../findings.ts";
import { parseObject, show } from "../json.ts";
import type { NotationPolicy, Verification } from "../verifier.ts";
import { type AuthenticTime, timeOf, timeText } from "./authentic-time.ts";
import { assertSigningChain, subjectOf } from "./certificate.ts";
import { isPartOf, subjectName } from "./distinguished-name.ts";
import { assertSignature, type Envelope } from "./envelope.ts";
import type { Answers } from "./revocation/answers.ts";
import { chainState, provenLinks } from "./revocation/revocation.ts";
import { serversOf } from "./revocation/servers.ts";
import type { Check, TrustStatement } from "./trust-policy.ts";

/** notation signature specification, "Payload". */
const payloadType = "application/vnd.cncf.notary.payload.v1+json";

export interface Context {
  readonly statement: TrustStatement;
  readonly policy: NotationPolicy;
  readonly root: Descriptor;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signature: Descriptor["digest"];
  readonly answers: Answers;
}

/** What a check has found: undefined is nothing. */
type Problem = string | undefined;

/**
 * Runs the specification's checks in its order; each is enforced, logged or skipped as the statement says. Servers are asked
 * last, and only those that the trust store's own authorities have named.
 *
 * @throws VerificationFailed for what is enforced; what the signal was aborted with
 */
export async function judge(envelope: Envelope, context: Context, signal: AbortSignal): Promise<Verification> {
  const { signature, now } = context;
  assertIntegrity(envelope, context.root);
  const checks = new Checks(context.statement);
  const authenticity = await checks.run("authenticity", () => authenticityProblem(envelope, context));
  await checks.run("expiry", () => expiryProblem(envelope, now));
  let time: AuthenticTime = { problem: undefined, signedAt: undefined, until: Infinity };
  await checks.run("authenticTimestamp", async () => {
    time = await timeOf(envelope, context, signal);
    return time.problem;
  });
  let until = Infinity;
  await checks.run("revocation", async () => {
    const found = await revocationOf(envelope, { ...context, signedAt: time.signedAt }, signal);
    until = found.until;
    return found.problem;
  });
  return {
    provider: "notation",
    result: authenticity === undefined ? "verified" : "ignored",
    identity: subjectOf(envelope.chain[0]),
    signedAt: time.signedAt,
    signature,
    warnings: checks.warnings,
    validUntil: nextEnd([...endsOf(envelope), time.until, until], now),
  };
}

class Checks {
  readonly warnings: string[] = [];
  readonly #statement: TrustStatement;

  constructor(statement: TrustStatement) {
    this.#statement = statement;
  }

  /** @returns what is only logged @throws VerificationFailed for what is enforced */
  async run(check: Check, find: () => Problem | Promise<Problem>): Promise<Problem> {
    const action = this.#statement.actions?.[check] ?? "enforce";
    if (action === "skip") return undefined;
    const problem = await find();
    if (problem === undefined) return undefined;
    if (action === "enforce") throw refused(problem);
    this.warnings.push(`${check}: ${problem}`);
    return problem;
  }
}

const endsOf = ({ chain, expiry }: Envelope): number[] =>
  chain.map(({ validToDate }) => validToDate.getTime()).concat(expiry ?? []);

/** When the first of what the result rests on will end: a certificate, the signature itself, what a server has said. */
function nextEnd(ends: readonly number[], now: number): number | undefined {
  const next = Math.min(...ends.filter((end) => end > now));
  return next === Infinity ? undefined : next;
}

/** Always enforced: the signature is sound, by a sound chain, and over this very artifact. */
function assertIntegrity(envelope: Envelope, root: Descriptor): void {
  assertSignature(envelope);
  assertSigningChain(envelope.chain);
  if (envelope.contentType !== payloadType)
    throw refused(`it is of type ${show(envelope.contentType)}, not ${payloadType}`);
  const target = objectOf(parseObject(envelope.payload, "its payload")["targetArtifact"]);
  if (target["digest"] !== root.digest)
    throw refused(`it is a signature of ${show(target["digest"])}, not of this artifact`);
  if (target["size"] !== root.size || target["mediaType"] !== root.mediaType) {
    throw refused(
      `it is a signature of ${hexOf(root.digest).slice(0, 12)} as ${show(target["mediaType"])} of ${show(target["size"])} bytes, not as ${root.mediaType} of ${root.size}`,
    );
  }
}

function authenticityProblem(envelope: Envelope, { statement, policy }: Context): Problem {
  const { chain, scheme } = envelope;
  const store = storeOf(envelope);
  if (!statement.stores.includes(store))
    return `its scheme ${scheme} needs a trust store of type ${store}, which trust policy "${statement.name}" does not name`;
  if (!chain.some((certificate) => isIn(policy.certificates, certificate)))
    return `its signer ${subjectOf(chain[0])} is not by any of the trusted certificates`;
  const subject = subjectName(chain[0]);
  if (statement.identities === undefined || statement.identities.some((identity) => isPartOf(identity, subject)))
    return undefined;
  return `its signer ${subjectOf(chain[0])} is none of the trusted identities of trust policy "${statement.name}"`;
}

const storeOf = ({ scheme }: Envelope): "ca" | "signingAuthority" =>
  scheme === "notary.x509" ? "ca" : "signingAuthority";

function isIn(certificates: readonly X509Certificate[], { raw }: X509Certificate): boolean {
  return certificates.some((certificate) => certificate.raw.equals(raw));
}

function expiryProblem({ expiry }: Envelope, now: number): Problem {
  return expiry !== undefined && expiry <= now ? `it expired on ${timeText(expiry)}` : undefined;
}

const advice = 'override revocation with "log" or "skip" in the trust policy';

/** Where its chain is not proven, its certificates may name any address: nobody is asked, and nothing is known. */
async function revocationOf(
  envelope: Envelope,
  { statement, policy, answers, now, signedAt }: Context & { readonly signedAt: number | undefined },
  signal: AbortSignal,
): Promise<{ problem: Problem; until: number }> {
  const { chain } = envelope;
  const stores = statement.stores.includes(storeOf(envelope)) ? policy.certificates : [];
  const links = provenLinks(chain, (certificate) => isIn(stores, certificate));
  if (stores.length > 0 && chain.some((certificate) => isIn(stores, certificate)))
    return await chainState(links, { answers, now, signedAt, signal, advice });
  const named = chain.slice(0, -1).find((certificate) => namesServers(certificate));
  const problem =
    named && `whether ${subjectOf(named)} was revoked is not asked, since nobody who is trusted has issued it`;
  return { problem, until: Infinity };
}

function namesServers(certificate: X509Certificate): boolean {
  const { ocsp, lists } = serversOf(certificate);
  return ocsp.length + lists.length > 0;
}
