import type { SignedEntity, TrustMaterial } from "@sigstore/verify";
import type { KeyObject } from "node:crypto";
import { refused } from "../findings.ts";
import { checkEvidence } from "./evidence.ts";
import type { SignatureMaterial } from "./signature-material.ts";
import type { IdentityRule } from "../verifier.ts";

/** Who signed, by a certificate that a trusted authority issued. */
export interface Signer {
  readonly subject: string;
  readonly issuer: string;
  /** Milliseconds since the epoch: the earliest time that the log or a timestamp authority vouches for. */
  readonly signedAt: number | undefined;
}

/**
 * Verifies a signature made with a short-lived certificate, without any request: the certificate chains to the trusted root
 * and was logged (SCT), and it was valid when the signature was made, as a log or a timestamp authority vouches for. Where
 * the trusted root lists logs of signatures, one has to have this one. That the certificate has expired since does not matter.
 *
 * @throws VerificationFailed
 */
export async function verifyKeyless(material: SignatureMaterial, trust: TrustMaterial): Promise<Signer> {
  const bundle = material.certificateBundle;
  if (bundle === undefined) throw refused("it was made with a key, not with a certificate");
  const logEntries = trust.tlogs.length > 0 ? 1 : 0;
  const { identity, signedAt } = await checkEvidence({ material, bundle, trust, logEntries, untimed });
  return { subject: identity?.subjectAlternativeName ?? "", issuer: identity?.extensions?.issuer ?? "", signedAt };
}

function untimed({ tlogEntries }: SignedEntity): string {
  const none = tlogEntries.length === 0 ? "it" : "its log entry has no signed time, and it";
  return `nobody vouches for when it was made: ${none} carries no timestamp by an authority (RFC 3161); sign it with a timestamp server`;
}

/**
 * When a signature made with a key was seen by the log or by a timestamp authority, in milliseconds since the epoch. What they
 * say is checked: an entry of the log is for this very signature, and its time is signed.
 *
 * @throws VerificationFailed where nobody vouches for a time
 */
export async function vouchedTime(material: SignatureMaterial, key: KeyObject, trust: TrustMaterial): Promise<number> {
  const bundle = material.evidence;
  if (bundle === undefined) throw refused(noTime);
  const { signedAt } = await checkEvidence({
    material,
    bundle,
    trust: { ...trust, publicKey: () => ({ publicKey: key, validFor: () => true }) },
    key: { $case: "public-key", hint: "" },
    logEntries: 0,
    untimed: () => noTime,
  });
  return signedAt;
}

const noTime =
  "it carries no time that a transparency log or a timestamp authority vouches for, which verify.minAge needs; sign it with a log or a timestamp server";

/** @throws VerificationFailed unless one of the rules matches; no rules accept everyone whom the root vouches for */
export function assertIdentity(signer: Omit<Signer, "signedAt">, rules: readonly IdentityRule[]): void {
  if (rules.length === 0 || rules.some((rule) => rule.matches(signer.issuer, signer.subject))) return;
  throw refused(
    `it was made by ${formatSigner(signer)}, whom no identity matches (each expression has to match the whole text)`,
  );
}

/** A signer for messages: somebody else's text, cut and without control characters. */
export function formatSigner({ subject, issuer }: Omit<Signer, "signedAt">): string {
  const clean = (text: string): string => text.replace(/\p{Cc}/gu, "?").slice(0, 300);
  return `subject ${clean(subject)} by issuer ${clean(issuer)}`;
}
