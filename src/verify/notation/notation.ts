import type { X509Certificate } from "node:crypto";
import { hexOf } from "../../oci/digest.ts";
import type { Descriptor } from "../../oci/types.ts";
import { fetchAll } from "../../oci/fetch-all.ts";
import { msUntilOld } from "../age.ts";
import { readSignatureManifest } from "../content.ts";
import { artifactName, Findings, refused } from "../findings.ts";
import { objectOf } from "../../text/json.ts";
import { parseObject, show } from "../json.ts";
import { candidatesOf } from "../referrers.ts";
import type { VerifyLimits } from "../limits.ts";
import type { NotationPolicy, Verification, VerifyRequest } from "../verifier.ts";
import { assertSigningChain, namesRevocation, subjectOf } from "./certificate.ts";
import { coseType, parseCose } from "./cose.ts";
import { isPartOf, subjectName } from "./distinguished-name.ts";
import { assertSignature, type Envelope } from "./envelope.ts";
import { jwsType, parseJws } from "./jws.ts";
import { type Check, statementFor, type TrustStatement } from "./trust-policy.ts";

/** notation signature specification, "Storage": the artifact type of signatures, and the type of what they state. */
const notationArtifactType = "application/vnd.cncf.notary.signature";
const payloadType = "application/vnd.cncf.notary.payload.v1+json";

/**
 * Looks for a notation signature that the trust policy's statement for the repository accepts.
 *
 * @param now milliseconds since the epoch
 * @throws VerificationFailed
 */
export async function verifyNotation(
  request: VerifyRequest,
  policy: NotationPolicy,
  limits: VerifyLimits,
  now: number,
): Promise<Verification> {
  const { repository, root, signal } = request;
  const statement = statementFor(policy.trustPolicy, repository.name);
  if (statement.actions === undefined) return skipped(statement);
  const findings = new Findings(signal);
  const { listed, more } = await candidatesOf(request, notationArtifactType, limits);
  const best = new Best(policy, now);
  for await (const referrer of listed) {
    const found = await findings.attempt(`signature ${referrer.digest}`, async () => {
      const envelope = await readEnvelope(request, referrer, limits);
      return judge(envelope, { statement, trusted: policy.certificates, root, now, signature: referrer.digest });
    });
    if (found !== undefined && best.isGood(found)) return found;
  }
  if (best.other !== undefined) return best.other;
  if (more > 0)
    findings.add(
      artifactName(repository, root),
      `has ${limits.maxSignatures + more} signatures, of which only ${limits.maxSignatures} were looked at`,
    );
  throw findings.failure(
    artifactName(repository, root),
    `trust policy "${statement.name}"`,
    `no referrer of type ${notationArtifactType}; sign it with "notation sign"`,
  );
}

/** What counts where no signature is good and old enough: one that is too young, whose age is told, else one that is let pass. */
class Best {
  readonly #policy: NotationPolicy;
  readonly #now: number;
  #young: Verification | undefined;
  #ignored: Verification | undefined;

  constructor(policy: NotationPolicy, now: number) {
    this.#policy = policy;
    this.#now = now;
  }

  isGood(found: Verification): boolean {
    const isVerified = found.result === "verified";
    if (isVerified && msUntilOld(found, this.#policy, this.#now) <= 0) return true;
    if (isVerified && found.signedAt !== undefined) this.#young ??= found;
    else this.#ignored ??= found;
    return false;
  }

  get other(): Verification | undefined {
    return this.#young ?? this.#ignored;
  }
}

/** The statement's level is "skip". */
function skipped({ name }: TrustStatement): Verification {
  return {
    provider: "notation",
    result: "ignored",
    identity: `nobody: trust policy "${name}" skips verification`,
    signature: undefined,
    warnings: [],
    validUntil: undefined,
  };
}

async function readEnvelope(
  { repository, signal }: VerifyRequest,
  referrer: Descriptor,
  limits: VerifyLimits,
): Promise<Envelope> {
  const { layers } = await readSignatureManifest(repository, referrer, limits.maxSignatureBytes, signal);
  const [layer, ...more] = layers;
  if (layer === undefined || more.length > 0) throw refused(`it has ${layers.length} layers instead of one`);
  if (layer.mediaType !== jwsType && layer.mediaType !== coseType)
    throw refused(`its envelope is of type ${show(layer.mediaType)}, neither ${jwsType} nor ${coseType}`);
  const bytes = await fetchAll(repository, layer, limits.maxSignatureBytes, signal);
  return layer.mediaType === jwsType ? parseJws(bytes) : parseCose(bytes);
}

interface Context {
  readonly statement: TrustStatement;
  readonly trusted: readonly X509Certificate[];
  readonly root: Descriptor;
  readonly now: number;
  readonly signature: Descriptor["digest"];
}

/** Runs the specification's checks in its order; each is enforced, logged or skipped as the statement says. */
function judge(envelope: Envelope, context: Context): Verification {
  const { statement, now, signature } = context;
  assertIntegrity(envelope, context.root);
  const problems: Readonly<Record<Exclude<Check, "integrity">, string | undefined>> = {
    authenticity: authenticityProblem(envelope, context),
    expiry:
      envelope.expiry !== undefined && envelope.expiry <= now
        ? `it expired on ${timeText(envelope.expiry)}`
        : undefined,
    authenticTimestamp: timestampProblem(envelope, statement, now),
    revocation: revocationProblem(envelope),
  };
  return {
    provider: "notation",
    result: problems.authenticity === undefined ? "verified" : "ignored",
    identity: subjectOf(envelope.chain[0]),
    signedAt: envelope.scheme === "notary.x509.signingAuthority" ? envelope.signingTime : undefined,
    signature,
    warnings: enforce(problems, statement),
    validUntil: nextEnd(envelope, now),
  };
}

/** @returns what is only logged @throws VerificationFailed for what is enforced */
function enforce(problems: Readonly<Record<string, string | undefined>>, { actions }: TrustStatement): string[] {
  return Object.entries(problems).flatMap(([check, problem]) => {
    const action = actions?.[check as Check] ?? "enforce";
    if (problem === undefined || action === "skip") return [];
    if (action === "enforce") throw refused(problem);
    return [`${check}: ${problem}`];
  });
}

/** When the first of the chain's certificates or the signature itself will expire. */
function nextEnd({ chain, expiry }: Envelope, now: number): number | undefined {
  const ends = chain.map(({ validToDate }) => validToDate.getTime()).concat(expiry ?? []);
  const ahead = ends.filter((end) => end > now);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
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

function authenticityProblem({ chain, scheme }: Envelope, { statement, trusted }: Context): string | undefined {
  const store = scheme === "notary.x509" ? "ca" : "signingAuthority";
  if (!statement.stores.includes(store))
    return `its scheme ${scheme} needs a trust store of type ${store}, which trust policy "${statement.name}" does not name`;
  if (!chain.some(({ raw }) => trusted.some((certificate) => certificate.raw.equals(raw))))
    return `its signer ${subjectOf(chain[0])} is not by any of the trusted certificates`;
  const subject = subjectName(chain[0]);
  if (statement.identities === undefined || statement.identities.some((identity) => isPartOf(identity, subject)))
    return undefined;
  return `its signer ${subjectOf(chain[0])} is none of the trusted identities of trust policy "${statement.name}"`;
}

/** When the signature was made is known from an authority, or else the chain has to be valid now. */
function timestampProblem(
  { chain, scheme, signingTime }: Envelope,
  { stores, timestampAlways }: TrustStatement,
  now: number,
): string | undefined {
  const invalidAt = (time: number): X509Certificate | undefined =>
    chain.find(({ validFromDate, validToDate }) => time < validFromDate.getTime() || time > validToDate.getTime());
  const byAuthority = scheme === "notary.x509.signingAuthority";
  const expired = chain.some(({ validToDate }) => now > validToDate.getTime());
  if (!byAuthority && stores.includes("tsa") && (timestampAlways || expired)) {
    return 'it would have to be judged by a timestamp countersignature (trust store tsa), which is not supported; remove the tsa trust store, or set verifyTimestamp to "afterCertExpiry"';
  }
  const invalid = invalidAt(byAuthority ? signingTime : now);
  if (invalid === undefined) return undefined;
  const range = `valid from ${timeText(invalid.validFromDate.getTime())} to ${timeText(invalid.validToDate.getTime())}`;
  return byAuthority
    ? `${subjectOf(invalid)} was not valid when it signed (${range})`
    : `${subjectOf(invalid)} is ${range}, not now`;
}

/** Nothing is asked over the network: a certificate that says where to ask is of unknown state. A root cannot be revoked. */
function revocationProblem({ chain }: Envelope): string | undefined {
  const unknown = chain.slice(0, -1).find(namesRevocation);
  return (
    unknown &&
    `whether ${subjectOf(unknown)} was revoked is not known, since its OCSP or CRL server is not asked; override revocation with "log" or "skip" in the trust policy to accept that`
  );
}

const timeText = (time: number): string => new Date(time).toISOString();
