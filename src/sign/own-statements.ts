import { verifyLimits } from "../config.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { WritableRepository } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import { bundleMaterial } from "../verify/cosign/bundle.ts";
import { verifiesWith } from "../verify/cosign/keys.ts";
import type { SignatureMaterial } from "../verify/cosign/signature-material.ts";
import { withBudget } from "../verify/content.ts";
import { Findings } from "../verify/findings.ts";
import type { SigningKey } from "./signing-key.ts";

/** Many more than anybody attaches; beyond them nobody can tell whether this key has signed. */
const maxStatements = 500;

/**
 * The statements of a type about `subject` that this key has signed already.
 *
 * @throws SigningFailed where there is more than can be looked at: what is not seen would be signed over and over; what the
 * repository throws, for the same reason
 */
export async function ownStatements(
  { repository, subject, key }: { repository: WritableRepository; subject: Descriptor; key: SigningKey },
  predicateType: string,
  signal: AbortSignal,
): Promise<readonly SignatureMaterial[]> {
  const metered = withBudget(repository, verifyLimits.maxTotalBytes);
  let isSpent = false;
  const fetch: typeof metered.fetch = async (descriptor, within) =>
    await metered.fetch(descriptor, within).catch((error: unknown) => {
      isSpent ||= codeOf(error) === "VerificationFailed";
      throw error;
    });
  const findings = new Findings(signal);
  const own: SignatureMaterial[] = [];
  const request = { repository: { ...metered, fetch }, root: subject, signal };
  const limits = { ...verifyLimits, maxSignatures: maxStatements };
  for await (const material of bundleMaterial(request, { predicateType }, limits, findings)) {
    const isBare = material.certificateBundle === undefined;
    if (isBare && verifiesWith(key.publicKey, material.signed, material.signature)) own.push(material);
  }
  if (findings.unread !== undefined) throw findings.unread;
  if (own.length > 0 || (!isSpent && findings.count < maxStatements)) return own;
  throw new CodedError(
    "SigningFailed",
    `${repository.name}@${subject.digest} has so many signatures that one by this key cannot be found among them; delete those that nobody needs`,
  );
}
