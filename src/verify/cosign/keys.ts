import { constants, createPublicKey, type KeyObject } from "node:crypto";
import { CodedError } from "../../errors.ts";
import { isSignedBy, pss } from "../check-signature.ts";
import { verifyEd25519ph } from "./ed25519ph.ts";
import type { TrustedKey } from "../verifier.ts";

const minRsaBits = 2048;
/** ECDSA: the hash of the curve's size, and SHA-256, which older signers used with every curve. */
const curveHashes: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ["sha256"],
  secp384r1: ["sha384", "sha256"],
  secp521r1: ["sha512", "sha256"],
};
const rsaHashes = ["sha256", "sha384", "sha512"];
const anyPss = pss(constants.RSA_PSS_SALTLEN_AUTO);

/**
 * Reads the public keys in `pem`.
 *
 * @param name of the file or the Secret's key
 * @throws SecretInvalid for anything else than usable public keys; never shows the content
 */
export function parsePublicKeys(pem: string, name: string, place: string): TrustedKey[] {
  const fail = (problem: string): CodedError => new CodedError("SecretInvalid", `${place}: ${name} ${problem}`);
  if (/PRIVATE KEY-----/.test(pem))
    throw fail("holds a private key; only public keys belong here, so make a new pair and store its public key alone");
  const blocks = pem.match(/-----BEGIN (RSA )?PUBLIC KEY-----[^-]+-----END (RSA )?PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0) throw fail("holds no public key in PEM (-----BEGIN PUBLIC KEY-----)");
  return blocks.map((block, at) => {
    let key: KeyObject;
    try {
      key = createPublicKey(block);
    } catch {
      throw fail("holds a public key that cannot be read");
    }
    const problem = keyProblem(key);
    if (problem !== undefined) throw fail(problem);
    return { name: blocks.length === 1 ? name : `${name} (${at + 1})`, key };
  });
}

/** Why no signature by `key` should be believed; undefined where it is fine. */
function keyProblem({ asymmetricKeyType, asymmetricKeyDetails: details = {} }: KeyObject): string | undefined {
  const type: string = asymmetricKeyType ?? "unknown";
  const { namedCurve: curve = "unknown", modulusLength: bits = 0 } = details;
  if (type === "ed25519") return undefined;
  if (type === "ec")
    return Object.hasOwn(curveHashes, curve) ? undefined : `has a key on the curve ${curve}; use P-256, P-384 or P-521`;
  if (!type.startsWith("rsa")) return `has a key of type ${type}; use ECDSA, RSA or Ed25519`;
  return bits >= minRsaBits ? undefined : `has an RSA key of ${bits} bits; use at least ${minRsaBits}`;
}

/**
 * Whether `signature` over `data` was made by `key`, in any of the ways in which cosign signs: ECDSA (DER), RSA PKCS #1 v1.5
 * and PSS, Ed25519 and Ed25519ph. Which of them it was adds nothing to trust: each needs the private key.
 */
export function verifiesWith(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  if (keyProblem(key) !== undefined) return false;
  const simple = (hash: string | null): boolean => isSignedBy(key, { hash }, data, signature);
  const withPss = (hash: string): boolean => isSignedBy(key, { hash, form: anyPss }, data, signature);
  switch (key.asymmetricKeyType) {
    case "ec":
      return (curveHashes[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? []).some(simple);
    case "rsa":
      return rsaHashes.some((hash) => simple(hash) || withPss(hash));
    case "rsa-pss":
      return rsaHashes.some(withPss);
    default:
      return simple(null) || verifyEd25519ph(key, data, signature);
  }
}
