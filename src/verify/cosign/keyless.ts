import type { SignedEntity, TrustMaterial } from "@sigstore/verify";
import { createHash, type KeyObject } from "node:crypto";
import { messageOf } from "../../errors.ts";
import { refused } from "../findings.ts";
import { verifiesWith } from "./keys.ts";
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
 * and was logged (SCT), the signature was logged while the certificate was valid or carries a timestamp of that time, and it
 * is over these bytes. That the certificate has expired since does not matter.
 *
 * @throws VerificationFailed
 */
export async function verifyKeyless(material: SignatureMaterial, trust: TrustMaterial): Promise<Signer> {
  if (material.certificateBundle === undefined) throw refused("it was made with a key, not with a certificate");
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { bundleFromJSON } = (await import("@sigstore/bundle")).default;
  const { toSignedEntity, Verifier } = (await import("@sigstore/verify")).default;
  try {
    const entity = toSignedEntity(bundleFromJSON(material.certificateBundle), material.signed);
    const verifier = new Verifier(trust, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 });
    const { identity } = verifier.verify({ ...entity, signature: signatureContent(material) });
    return {
      subject: identity?.subjectAlternativeName ?? "",
      issuer: identity?.extensions?.issuer ?? "",
      signedAt: earliest(entity),
    };
  } catch (error) {
    // Whatever the library throws is about this one signature, whose every byte is a stranger's.
    throw refused(describe(error), error);
  }
}

/**
 * When a signature made with a key was seen by the log or by a timestamp authority, in milliseconds since the epoch. What they
 * say is checked: an entry of the log is for this very signature, and its time is signed.
 *
 * @throws VerificationFailed where nobody vouches for a time
 */
export async function vouchedTime(material: SignatureMaterial, key: KeyObject, trust: TrustMaterial): Promise<number> {
  const { bundleFromJSON } = (await import("@sigstore/bundle")).default;
  const { toSignedEntity, Verifier } = (await import("@sigstore/verify")).default;
  const time = attempt(() => {
    if (material.evidence === undefined) return undefined;
    const entity = toSignedEntity(bundleFromJSON(material.evidence), material.signed);
    const found = earliest(entity);
    if (found === undefined) return undefined;
    const byKey: TrustMaterial = { ...trust, publicKey: () => ({ publicKey: key, validFor: () => true }) };
    const verifier = new Verifier(byKey, { tlogThreshold: 0, timestampThreshold: 1 });
    const asKey: SignedEntity["key"] = { $case: "public-key", hint: "" };
    verifier.verify({ ...entity, key: asKey, signature: signatureContent(material) });
    return found;
  });
  if (time !== undefined) return time;
  throw refused(
    "it carries no time that a transparency log or a timestamp authority vouches for, which verify.minAge needs; sign it with a log or a timestamp server",
  );
}

function attempt<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw refused(describe(error), error);
  }
}

/** Once the entity was verified: of an entry of the log the time counts where the log has signed it. */
function earliest({ timestamps }: SignedEntity): number | undefined {
  const times = timestamps.flatMap((stamp) => {
    if (stamp.$case === "timestamp-authority") return [stamp.timestamp.signingTime.getTime()];
    const { inclusionPromise, integratedTime } = stamp.tlogEntry;
    return inclusionPromise === undefined ? [] : [Number(integratedTime) * 1000];
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

/** @throws VerificationFailed unless one of the rules matches; no rules accept everyone whom the root vouches for */
export function assertIdentity(signer: Omit<Signer, "signedAt">, rules: readonly IdentityRule[]): void {
  if (rules.length === 0 || rules.some((rule) => rule.matches(signer.issuer, signer.subject))) return;
  throw refused(
    `it was made by ${formatSigner(signer)}, whom no identity matches (each expression has to match the whole text)`,
  );
}

export function formatSigner({ subject, issuer }: Omit<Signer, "signedAt">): string {
  const clean = (text: string): string => text.replace(/\p{Cc}/gu, "?").slice(0, 300);
  return `subject ${clean(subject)} by issuer ${clean(issuer)}`;
}

/**
 * The library's own content compares with SHA-256 alone and verifies with the default hash of a key, which refuses P-384 as
 * it is used in practice.
 */
function signatureContent({ signed, payload, signature }: SignatureMaterial): SignedEntity["signature"] {
  return {
    signature,
    compareSignature: (other) => other.equals(signature),
    compareDigest: (digest) => isDigestOf(payload, digest),
    compareSignedDigest: (digest) => isDigestOf(signed, digest),
    verifySignature: (key) => verifiesWith(key, signed, signature),
  };
}

const hashBySize: Readonly<Record<number, string>> = { 32: "sha256", 48: "sha384", 64: "sha512" };

function isDigestOf(bytes: Buffer, digest: Buffer): boolean {
  const hash = hashBySize[digest.length];
  return hash !== undefined && createHash(hash).update(bytes).digest().equals(digest);
}

function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause).slice(0, 200)})` : "";
  return `${messageOf(error).slice(0, 200)}${cause}`;
}
