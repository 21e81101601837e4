import { constants, type KeyObject, type X509Certificate } from "node:crypto";
import { isSignedBy, pss, type SignatureForm } from "../check-signature.ts";
import { childrenOf, type Element, readOid } from "./der.ts";

/** SHA-2; what is older is nowhere accepted. */
const hashes: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
/** RFC 4055 and 5758: the algorithms that name their hash themselves. */
const whole: Readonly<Record<string, { readonly type: "rsa" | "ec"; readonly hash: string }>> = {
  "1.2.840.113549.1.1.11": { type: "rsa", hash: "sha256" },
  "1.2.840.113549.1.1.12": { type: "rsa", hash: "sha384" },
  "1.2.840.113549.1.1.13": { type: "rsa", hash: "sha512" },
  "1.2.840.10045.4.3.2": { type: "ec", hash: "sha256" },
  "1.2.840.10045.4.3.3": { type: "ec", hash: "sha384" },
  "1.2.840.10045.4.3.4": { type: "ec", hash: "sha512" },
};
const rsa = "1.2.840.113549.1.1.1";
const rsaPss = "1.2.840.113549.1.1.10";

/** The hash that an AlgorithmIdentifier names, as node:crypto calls it; undefined for one that is not sound. */
export function hashOf(algorithm: Element | undefined): string | undefined {
  return hashes[readOid(childrenOf(algorithm)[0])];
}

/** What was signed, how and by what; the algorithm is an AlgorithmIdentifier. */
export interface Signed {
  readonly algorithm: Element | undefined;
  /** Of CMS, where the signature's algorithm may leave its hash out. */
  readonly digest?: Element | undefined;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Whether the certificate's key has made the signature, with an algorithm that goes with it and is sound.
 *
 * @throws RangeError for no DER
 */
export function isMadeBy(certificate: X509Certificate, { algorithm, digest, data, signature }: Signed): boolean {
  const scheme = schemeOf(algorithm, digest);
  const key = keyOf(certificate);
  if (scheme === undefined || key?.asymmetricKeyType?.replace("rsa-pss", "rsa") !== scheme.type) return false;
  return isSignedBy(key, scheme, data, signature);
}

/** Undefined for one that OpenSSL cannot read: a certificate holds it unread. */
function keyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

function schemeOf(
  algorithm: Element | undefined,
  digest: Element | undefined,
): { type: "rsa" | "ec"; hash: string; form?: SignatureForm } | undefined {
  const [name, parameters] = childrenOf(algorithm);
  const id = readOid(name);
  if (id === rsa || id === rsaPss) {
    // RFC 4055, 3.1: the parameters begin with the hash; without it, it is SHA-1. What masks has the same one, or it does not verify.
    const hash = digest ? hashOf(digest) : hashOf(childrenOf(childrenOf(parameters)[0])[0]);
    if (hash === undefined) return undefined;
    return { type: "rsa", hash, ...(id === rsaPss && { form: pss(constants.RSA_PSS_SALTLEN_AUTO) }) };
  }
  return whole[id];
}
