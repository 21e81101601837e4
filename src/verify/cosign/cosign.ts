import type { TrustMaterial } from "@sigstore/verify";
import { sha256Of } from "../../oci/digest.ts";
import { msUntilOld } from "../age.ts";
import { bundleLookup, bundleMaterial } from "./bundle.ts";
import { artifactName, Findings, refused } from "../findings.ts";
import { assertIdentity, formatSigner, verifyKeyless, vouchedTime } from "./keyless.ts";
import { verifiesWith } from "./keys.ts";
import { legacyMaterial, legacyTag } from "./legacy.ts";
import type { VerifyLimits } from "../limits.ts";
import type { SignatureMaterial } from "./signature-material.ts";
import type { TrustedRoots } from "./trusted-root.ts";
import type { CosignKeylessPolicy, CosignKeyPolicy, TrustedKey, Verification, VerifyRequest } from "../verifier.ts";

/** What signatures are judged by, besides the policy. */
export interface Judging {
  readonly roots: TrustedRoots;
  /** `trusted_root.json`; undefined where neither certificates nor times are asked for. */
  readonly trustedRoot: string | undefined;
  readonly now: number;
}

/**
 * Looks for one good cosign signature: Sigstore bundles among the root's referrers first, then the older signatures under
 * its `.sig` tag. Where the policy asks for an age, for one that is old enough, and else for the oldest.
 *
 * @throws VerificationFailed, SecretInvalid (trusted root)
 */
export async function verifyCosign(
  request: VerifyRequest,
  policy: CosignKeyPolicy | CosignKeylessPolicy,
  limits: VerifyLimits,
  { roots, trustedRoot, now }: Judging,
): Promise<Verification> {
  const { repository, root } = request;
  const purpose = policy.method === "keyless" ? "certificates" : "times";
  const trust = trustedRoot === undefined ? undefined : await roots.get(trustedRoot, purpose);
  const findings = new Findings(request.signal);
  const search = { policy, limits, trust, findings, now };
  const found = await oldestGood(request, search);
  if (found !== undefined) return found;
  const tag = legacyTag(root.digest);
  throw findings.failure(
    artifactName(repository, root),
    describe(policy),
    `${bundleLookup}${tag === undefined ? "" : ` and no tag ${tag}`}; sign it with "cosign sign"`,
  );
}

interface Search {
  readonly policy: CosignKeyPolicy | CosignKeylessPolicy;
  readonly limits: VerifyLimits;
  readonly trust: TrustMaterial | undefined;
  readonly findings: Findings;
  readonly now: number;
}

/** The first good signature that is old enough, where that matters, else the oldest good one. */
async function oldestGood(
  request: VerifyRequest,
  { policy, limits, trust, findings, now }: Search,
): Promise<Verification | undefined> {
  let oldest: Verification | undefined;
  for (const source of [bundleMaterial, legacyMaterial]) {
    for await (const material of source(request, { annotations: policy.annotations }, limits, findings)) {
      const found = await findings.attempt(material.where, async () => await judge(material, policy, trust));
      if (found === undefined) continue;
      if (msUntilOld(found, policy, now) <= 0) return found;
      if (oldest === undefined || found.signedAt! < oldest.signedAt!) oldest = found;
    }
  }
  return oldest;
}

/** @throws VerificationFailed where it is not good by the policy */
async function judge(
  material: SignatureMaterial,
  policy: CosignKeyPolicy | CosignKeylessPolicy,
  trust: TrustMaterial | undefined,
): Promise<Verification> {
  return {
    provider: "cosign",
    result: "verified",
    ...(await signerOf(material, policy, trust)),
    signature: material.manifest,
    warnings: [],
    validUntil: undefined,
  };
}

/** Who made the signature, for the condition, and when. @throws VerificationFailed where it is not good by the policy */
async function signerOf(
  material: SignatureMaterial,
  policy: CosignKeyPolicy | CosignKeylessPolicy,
  trust: TrustMaterial | undefined,
): Promise<Pick<Verification, "identity" | "key" | "signedAt">> {
  if (policy.method === "keys") {
    const { name, key } = keyOf(material, policy.keys);
    const needsTime = policy.minAgeMs !== undefined && trust !== undefined;
    return {
      identity: `key ${name}`,
      key: sha256Of(key.export({ type: "spki", format: "der" })),
      signedAt: needsTime ? await vouchedTime(material, key, trust) : undefined,
    };
  }
  if (trust === undefined) throw refused("there is no trusted root to check its certificate against");
  const signer = await verifyKeyless(material, trust);
  assertIdentity(signer, policy.identities);
  return { identity: formatSigner(signer), signedAt: signer.signedAt };
}

function keyOf({ signed, signature, certificateBundle }: SignatureMaterial, keys: readonly TrustedKey[]): TrustedKey {
  const found = keys.find(({ key }) => verifiesWith(key, signed, signature));
  if (found !== undefined) return found;
  throw refused(
    certificateBundle === undefined
      ? "it is not by any of the keys, or was changed"
      : "it was made with a certificate (keyless), not with one of the keys",
  );
}

function describe(policy: CosignKeyPolicy | CosignKeylessPolicy): string {
  if (policy.method === "keys") return `the key ${policy.keys.map(({ name }) => name).join(" or ")}`;
  const sigstore = policy.trustedRoot === undefined ? "the public Sigstore" : "the given trusted root";
  if (policy.identities.length === 0) return `an identity of ${sigstore}`;
  return `${policy.identities.map(({ subject, issuer }) => `subject ${subject} by issuer ${issuer}`).join(" or ")} of ${sigstore}`;
}
