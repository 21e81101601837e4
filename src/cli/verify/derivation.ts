import { DERIVATION_TYPE, derivationSchema, type Derivation } from "../../../api/v1beta1/derivation.ts";
import { verifyLimits } from "../../config.ts";
import { objectOf, parseJsonObject } from "../../text/json.ts";
import { bundleMaterial } from "../../verify/cosign/bundle.ts";
import { verifiesWith } from "../../verify/cosign/keys.ts";
import { withBudget } from "../../verify/content.ts";
import { artifactName, Findings, refused } from "../../verify/findings.ts";
import type { CosignKeyPolicy, VerifyRequest } from "../../verify/verifier.ts";

/**
 * How the artifact was made, as one of the keys attests. Of several attestations the first that is good counts.
 * @throws VerificationFailed
 */
export async function readDerivation(
  { repository, root, signal }: Omit<VerifyRequest, "policy">,
  { keys }: CosignKeyPolicy,
): Promise<{ readonly derivation: Derivation; readonly attestation: string }> {
  const findings = new Findings(signal);
  const request = { repository: withBudget(repository, verifyLimits.maxTotalBytes), root, signal };
  const wanted = { predicateType: DERIVATION_TYPE };
  for await (const material of bundleMaterial(request, wanted, verifyLimits, findings)) {
    const derivation = await findings.attempt(material.where, () => {
      if (!keys.some(({ key }) => verifiesWith(key, material.signed, material.signature)))
        throw refused("it is not by any of the keys, or was changed");
      return parse(material.payload);
    });
    if (derivation !== undefined) return { derivation, attestation: material.manifest };
  }
  throw findings.failure(
    artifactName(repository, root),
    `the key ${keys.map(({ name }) => name).join(" or ")} over a derivation`,
    `no attestation of type ${DERIVATION_TYPE}; publish.oci.sign makes it`,
  );
}

function parse(payload: Uint8Array): Derivation {
  const parsed = derivationSchema.safeParse(objectOf(parseJsonObject(payload)["predicate"]));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused(`its predicate cannot be read: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`, parsed.error);
}
