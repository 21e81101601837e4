import type { ComponentDescriptor, Signature } from "../../component/descriptor.ts";
import { formWithDigest } from "../../component/normalisation.ts";
import { readComponent } from "../../component/read.ts";
import { printable } from "../../text/printable.ts";
import { isSignedBy } from "../check-signature.ts";
import { artifactName, Findings, refused } from "../findings.ts";
import type { VerifyLimits } from "../limits.ts";
import type { OcmPolicy, TrustedKey, Verification, VerifyRequest } from "../verifier.ts";
import { formOf, signatureBytes } from "./signature.ts";

/**
 * Looks in the descriptor of a component version for one good signature over its normalised form (ocm-spec, "Verification Procedure").
 * What the descriptor says of digests then counts; it is enforced where a resource is looked for.
 *
 * @throws VerificationFailed, ComponentInvalid where the root is not a component version
 */
export async function verifyOcm(
  request: VerifyRequest,
  policy: OcmPolicy,
  limits: VerifyLimits,
): Promise<Verification> {
  const { repository, root, signal } = request;
  const { descriptor, node } = await readComponent(repository, root, {
    limits: { maxManifestBytes: limits.maxTotalBytes },
    signal,
  });
  const findings = new Findings(signal);
  for (const signature of wanted(descriptor, policy, limits)) {
    const where = `signature ${printable(signature.name)}`;
    const key = await findings.attempt(where, () => signerOf(signature, descriptor, policy.keys));
    if (key !== undefined)
      return {
        provider: "ocm",
        result: "verified",
        identity: `key ${key.name} (${where} of ${printable(descriptor.name)}:${printable(descriptor.version)})`,
        signature: node.descriptor.digest,
        warnings: [],
        validUntil: undefined,
      };
  }
  throw findings.failure(artifactName(repository, root), describe(policy), lookedAt(descriptor));
}

function wanted(
  descriptor: ComponentDescriptor,
  { signature: name }: OcmPolicy,
  limits: VerifyLimits,
): readonly Signature[] {
  return descriptor.signatures
    .filter((signature) => name === undefined || signature.name === name)
    .slice(0, limits.maxSignatures);
}

/** @throws VerificationFailed where none of the keys has made it */
function signerOf(
  { digest, signature }: Signature,
  descriptor: ComponentDescriptor,
  keys: readonly TrustedKey[],
): TrustedKey {
  const form = formOf(signature);
  const bytes = signatureBytes(signature);
  const checked = formWithDigest(descriptor, digest);
  if ("problem" in checked) throw refused(`its digest ${checked.problem}`);
  const signed = Buffer.from(checked.form);
  const found = keys.find(({ key }) => isSignedBy(key, { hash: checked.hash, form }, signed, bytes));
  if (found !== undefined) return found;
  throw refused("it is not by any of the keys, or was changed");
}

function describe({ keys, signature }: OcmPolicy): string {
  const key = `the key ${keys.map(({ name }) => name).join(" or ")}`;
  return signature === undefined ? key : `${key} under the name ${printable(signature)}`;
}

function lookedAt({ signatures }: ComponentDescriptor): string {
  const names = signatures.slice(0, 10).map(({ name }) => printable(name, 60));
  return names.length === 0
    ? 'the component descriptor has none; sign it with "ocm sign component-version"'
    : `the component descriptor has ${names.join(", ")}`;
}
