import type { Descriptor } from "../../oci/types.ts";
import { fetchAll } from "../../oci/fetch-all.ts";
import { msUntilOld } from "../age.ts";
import { readSignatureManifest } from "../content.ts";
import { artifactName, Findings, refused } from "../findings.ts";
import { show } from "../json.ts";
import { candidatesOf } from "../referrers.ts";
import type { VerifyLimits } from "../limits.ts";
import type { NotationPolicy, Verification, VerifyRequest } from "../verifier.ts";
import { coseType, parseCose } from "./cose.ts";
import type { Envelope } from "./envelope.ts";
import { judge } from "./judge.ts";
import { jwsType, parseJws } from "./jws.ts";
import type { Answers } from "./revocation/answers.ts";
import { statementFor, type TrustStatement } from "./trust-policy.ts";

/** notation signature specification, "Storage". */
const notationArtifactType = "application/vnd.cncf.notary.signature";

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
  { answers, now }: { readonly answers: Answers; readonly now: number },
): Promise<Verification> {
  const { repository, root, signal } = request;
  const statement = statementFor(policy.trustPolicy, repository.name);
  if (statement.actions === undefined) return skipped(statement);
  const findings = new Findings(signal);
  const { listed, more } = await candidatesOf(request, notationArtifactType, limits);
  const best = new Best(policy, now);
  const context = { statement, policy, root, now, answers };
  for await (const referrer of listed) {
    const found = await findings.attempt(`signature ${referrer.digest}`, async () => {
      const envelope = await readEnvelope(request, referrer, limits);
      return await judge(envelope, { ...context, signature: referrer.digest }, signal);
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
