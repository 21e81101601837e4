import { constants, type KeyObject, verify } from "node:crypto";

/** How a signature is encoded, besides what follows from the type of its key. */
export interface SignatureForm {
  readonly padding?: number;
  readonly saltLength?: number;
  /** ECDSA: r and s, each as long as the curve's order, instead of DER. */
  readonly dsaEncoding?: "ieee-p1363";
}

/** RSASSA-PSS. @param saltLength one of node:crypto's `RSA_PSS_SALTLEN_…` */
export function pss(saltLength: number): SignatureForm {
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/**
 * Whether `signature` over `data` was made with `key`. A signature has one encoding only: what is shorter or longer is
 * refused before anything is calculated. OpenSSL itself pads a short PSS signature.
 *
 * @param hash null for Ed25519
 */
export function isSignedBy(
  key: KeyObject,
  { hash, form = {} }: { readonly hash: string | null; readonly form?: SignatureForm },
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length === 0 || !hasLength(signature, key)) return false;
  try {
    return verify(hash, data, { key, ...form }, signature);
  } catch {
    // OpenSSL throws for some malformed signatures, and for a PSS key that is bound to another hash.
    return false;
  }
}

/**
 * RFC 8017, sections 8.1.2 and 8.2.2, step 1: an RSA signature is as long as the modulus. True for keys of other types, whose
 * lengths OpenSSL checks: 64 bytes of Ed25519 (RFC 8032), strict DER or two numbers of fixed length of ECDSA.
 */
export function hasLength(signature: Uint8Array, key: KeyObject): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  return bits === undefined || signature.length === Math.ceil(bits / 8);
}
