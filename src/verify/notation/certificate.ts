import type { X509Certificate } from "node:crypto";
import { hasLength } from "../check-signature.ts";
import { refused } from "../findings.ts";
import { type CertificateFacts, factsOf, readDer } from "./certificate-facts.ts";
import { childrenOf, derTag } from "./der.ts";

const oid = { keyUsage: "2.5.29.15", basicConstraints: "2.5.29.19", extendedKeyUsage: "2.5.29.37" };

/** RFC 5280, 4.2.1.3: the bits of keyUsage, the first one first. */
const usageNames = [
  "digitalSignature",
  "contentCommitment",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
];
/** Besides digitalSignature, the notation specification allows contentCommitment alone. */
const leafUsages = new Set(["digitalSignature", "contentCommitment"]);

/** SHA-2 with RSA, RSASSA-PSS or ECDSA. */
const soundSignatures = new Set(
  [11, 12, 13, 10]
    .map((last) => `1.2.840.113549.1.1.${last}`)
    .concat([2, 3, 4].map((last) => `1.2.840.10045.4.3.${last}`)),
);

/** notation signature specification, "Signature Algorithm Requirements": bits of RSA, curves. */
const soundKeys = new Set<number | string>([2048, 3072, 4096, "prime256v1", "secp384r1", "secp521r1"]);

/** RFC 5280, 4.2.1.12 */
export const purpose = {
  timestamping: "1.3.6.1.5.5.7.3.8",
  ocspSigning: "1.3.6.1.5.5.7.3.9",
  any: "2.5.29.37.0",
} as const;

/** Uses that a code signing certificate must not have (notation signature specification, "Certificate requirements"). */
const forbiddenPurposes: Readonly<Record<string, string>> = {
  "1.3.6.1.5.5.7.3.1": "server authentication",
  "1.3.6.1.5.5.7.3.2": "client authentication",
  "1.3.6.1.5.5.7.3.4": "e-mail protection",
  [purpose.timestamping]: "timestamping",
  [purpose.ocspSigning]: "OCSP signing",
};

/** One line with a certificate's subject, for messages. */
export function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.replaceAll("\n", ", ").slice(0, 300);
}

/**
 * Checks a signing chain, leaf first, by the notation signature specification, "Certificate requirements": each certificate is
 * issued by the next, the last one by itself, and their uses are those of code signing. Validity in time is not
 * looked at here.
 *
 * @throws VerificationFailed
 */
export function assertSigningChain(chain: readonly X509Certificate[]): void {
  assertChain(chain, { use: "sign artifacts", usageIsCritical: true });
  const [leaf] = chain;
  const purposes = leaf === undefined ? [] : purposesOf(leaf);
  const forbidden = purposes.map((found) => forbiddenPurposes[found]).find((name) => name !== undefined);
  if (leaf !== undefined && forbidden !== undefined)
    throw refused(`${subjectOf(leaf)} is for ${forbidden}, not for code signing`);
}

/**
 * The same for the chain of a timestamp authority, whose certificate is for timestamps alone (RFC 3161, 2.3).
 *
 * @throws VerificationFailed
 */
export function assertTimestampingChain(chain: readonly [X509Certificate, ...X509Certificate[]]): void {
  assertChain(chain, { use: "make timestamps", usageIsCritical: false });
  const [leaf, ...authorities] = chain;
  assertSoundKey(leaf);
  if (purposesOf(leaf).join() !== purpose.timestamping) throw refused(`${subjectOf(leaf)} is not for timestamps alone`);
  if (!factsOf(leaf).extensions.get(oid.extendedKeyUsage)?.critical)
    throw refused(`${subjectOf(leaf)}: its extended key usage is not marked critical`);
  const other = authorities.find((authority) => !allows(authority, purpose.timestamping));
  if (other !== undefined) throw refused(`${subjectOf(other)} may not issue certificates for timestamps`);
}

function assertSoundKey(certificate: X509Certificate): void {
  const { modulusLength = 0, namedCurve = "" } = certificate.publicKey.asymmetricKeyDetails ?? {};
  if (!soundKeys.has(modulusLength) && !soundKeys.has(namedCurve))
    throw refused(`${subjectOf(certificate)} has a key that is not sound`);
}

/** Extended key usages by their numbers; node:crypto calls them `keyUsage`. */
export function purposesOf(certificate: X509Certificate): readonly string[] {
  return certificate.keyUsage ?? [];
}

/** An authority without extended key usages may issue for any. */
function allows(authority: X509Certificate, wanted: string): boolean {
  const purposes = purposesOf(authority);
  return purposes.length === 0 || purposes.includes(wanted) || purposes.includes(purpose.any);
}

interface ChainRules {
  /** What the leaf is for, in words. */
  readonly use: string;
  readonly usageIsCritical: boolean;
}

function assertChain(chain: readonly X509Certificate[], rules: ChainRules): void {
  for (const [at, certificate] of chain.entries()) {
    assertIssued(certificate, chain[at + 1]);
    const facts = factsOf(certificate);
    if (!soundSignatures.has(facts.signatureAlgorithm))
      throw refused(
        `${subjectOf(certificate)} is signed with an algorithm that is not sound (${facts.signatureAlgorithm})`,
      );
    if (at === 0) assertLeaf(certificate, facts, rules);
    else assertAuthority(certificate, facts, at - 1);
    if (rules.usageIsCritical && !facts.extensions.get(oid.keyUsage)?.critical)
      throw refused(`${subjectOf(certificate)}: its key usage is not marked critical`);
  }
}

function assertIssued(certificate: X509Certificate, issuer: X509Certificate | undefined): void {
  const selfSigned = isIssuedBy(certificate, certificate);
  if (issuer === undefined && !selfSigned)
    throw refused(`its chain does not end with a self-signed root, but with ${subjectOf(certificate)}`);
  if (issuer === undefined) return;
  if (selfSigned) throw refused(`its chain goes on after the self-signed ${subjectOf(certificate)}`);
  if (!isIssuedBy(certificate, issuer))
    throw refused(`${subjectOf(certificate)} was not issued by ${subjectOf(issuer)}`);
}

/** By name and by signature. OpenSSL's own check would refuse a signing certificate that is its own root. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  const facts = factsOf(certificate);
  if (!facts.issuer.equals(factsOf(issuer).subject)) return false;
  try {
    return hasLength(facts.signature, issuer.publicKey) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of another type than the signature's.
    return false;
  }
}

function assertLeaf(certificate: X509Certificate, facts: CertificateFacts, { use }: ChainRules): void {
  const subject = subjectOf(certificate);
  if (isAuthority(certificate)) throw refused(`${subject} is a certificate authority and must not ${use}`);
  const usages = usagesOf(certificate, facts);
  const odd = usages.find((usage) => !leafUsages.has(usage));
  if (!usages.includes("digitalSignature")) throw refused(`${subject}: its key usage lacks digitalSignature`);
  if (odd !== undefined) throw refused(`${subject}: its key usage has ${odd} besides digitalSignature`);
}

function assertAuthority(certificate: X509Certificate, facts: CertificateFacts, below: number): void {
  const subject = subjectOf(certificate);
  const { ca, maxBelow } = constraintsOf(facts);
  if (!ca) throw refused(`${subject} is not a certificate authority, but has issued another certificate`);
  if (!usagesOf(certificate, facts).includes("keyCertSign"))
    throw refused(`${subject}: its key usage lacks keyCertSign`);
  if (maxBelow !== undefined && maxBelow < below)
    throw refused(`${subject} allows ${maxBelow} authorities below it, but has ${below}`);
}

function usagesOf(certificate: X509Certificate, { extensions }: CertificateFacts): string[] {
  const extension = extensions.get(oid.keyUsage);
  if (extension === undefined) throw refused(`${subjectOf(certificate)} has no key usage`);
  const bits = extension.value?.tag === derTag.bitString ? extension.value.content.subarray(1) : Buffer.alloc(0);
  return usageNames.filter((_, at) => ((bits[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
}

/** Whether an authority may sign lists of revoked certificates: only a key usage can forbid it. */
export function maySignLists(authority: X509Certificate): boolean {
  const facts = factsOf(authority);
  return !facts.extensions.has(oid.keyUsage) || usagesOf(authority, facts).includes("cRLSign");
}

/** Whether it may issue certificates. */
export function isAuthority(certificate: X509Certificate): boolean {
  return constraintsOf(factsOf(certificate)).ca;
}

/** RFC 5280, 4.2.1.9. node:crypto's `ca` is not that: it looks at the key usage too. */
function constraintsOf({ extensions }: CertificateFacts): { ca: boolean; maxBelow: number | undefined } {
  const parts = readDer(() => childrenOf(extensions.get(oid.basicConstraints)?.value));
  const length = parts.find(({ tag }) => tag === derTag.integer);
  return {
    ca: parts.some(({ tag, content }) => tag === derTag.boolean && content[0] !== 0),
    maxBelow: length?.content.reduce((value, byte) => value * 256 + byte, 0),
  };
}
