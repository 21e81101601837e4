import type { TrustMaterial } from "@sigstore/verify";
import { bundleLookup, bundleMaterial } from "./bundle.ts";
import { artifactName, Findings, refused } from "../findings.ts";
import { assertIdentity, formatSigner, verifyKeyless } from "./keyless.ts";
import { verifiesWith } from "./keys.ts";
import { legacyMaterial, legacyTag } from "./legacy.ts";
import type { VerifyLimits } from "../limits.ts";
import type { SignatureMaterial } from "./signature-material.ts";
import type { TrustedRoots } from "./trusted-root.ts";
import type { CosignKeylessPolicy, CosignKeyPolicy, TrustedKey, Verification, VerifyRequest } from "../verifier.ts";

/**
 * Looks for one good cosign signature: Sigstore bundles among the root's referrers first, then the older signatures under
 * its `.sig` tag.
 *
 * @throws VerificationFailed, SecretInvalid (trusted root)
 */
export async function verifyCosign(
  request: VerifyRequest,
  policy: CosignKeyPolicy | CosignKeylessPolicy,
  limits: VerifyLimits,
  roots: TrustedRoots,
): Promise<Verification> {
  const { repository, root } = request;
  const trust = policy.method === "keyless" ? await roots.get(policy.trustedRoot) : undefined;
  const findings = new Findings(request.signal);
  for (const source of [bundleMaterial, legacyMaterial]) {
    for await (const material of source(request, { annotations: policy.annotations }, limits, findings)) {
      const identity = await findings.attempt(material.where, async () => await signerOf(material, policy, trust));
      if (identity !== undefined)
        return {
          provider: "cosign",
          result: "verified",
          identity,
          signature: material.manifest,
          warnings: [],
          validUntil: undefined,
        };
    }
  }
  const tag = legacyTag(root.digest);
  throw findings.failure(
    artifactName(repository, root),
    describe(policy),
    `${bundleLookup}${tag === undefined ? "" : ` and no tag ${tag}`}; sign it with "cosign sign"`,
  );
}

/** Who made the signature, for the condition. @throws VerificationFailed where it is not good by the policy */
async function signerOf(
  material: SignatureMaterial,
  policy: CosignKeyPolicy | CosignKeylessPolicy,
  trust: TrustMaterial | undefined,
): Promise<string> {
  if (policy.method === "keys") return `key ${keyOf(material, policy.keys).name}`;
  if (trust === undefined) throw refused("there is no trusted root to check its certificate against");
  const signer = await verifyKeyless(material, trust);
  assertIdentity(signer, policy.identities);
  return formatSigner(signer);
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
