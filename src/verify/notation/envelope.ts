import { constants, X509Certificate } from "node:crypto";
import { isSignedBy, pss } from "../check-signature.ts";
import { refused } from "../findings.ts";
import { show } from "../json.ts";

/** `notary.x509`: the signer states the time. `notary.x509.signingAuthority`: an authority signs and vouches for the time. */
export type SigningScheme = "notary.x509" | "notary.x509.signingAuthority";

/** A notation signature envelope, JWS or COSE, as far as both say the same. Nothing of it is believed yet. */
export interface Envelope {
  readonly algorithm: AlgorithmName;
  readonly contentType: string;
  readonly payload: Buffer;
  /** The bytes that the signature is over. */
  readonly signed: Buffer;
  readonly signature: Buffer;
  /** Leaf first. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]];
  readonly scheme: SigningScheme;
  /** Milliseconds since the epoch. */
  readonly signingTime: number;
  readonly expiry: number | undefined;
  /** A timestamp authority's token (RFC 3161) over the signature, which is not a part of what is signed. */
  readonly timestamp: Buffer | undefined;
}

/** Headers of the signed part, the same names in both formats (notation signature specification). */
export const header = {
  scheme: "io.cncf.notary.signingScheme",
  signingTime: "io.cncf.notary.signingTime",
  authenticSigningTime: "io.cncf.notary.authenticSigningTime",
  expiry: "io.cncf.notary.expiry",
} as const;

/** The header of the part that is not signed. */
export const timestampHeader = "io.cncf.notary.timestampSignature";

const maxChain = 10;

/** notation signature specification, "Algorithm Selection": each kind of key has exactly one algorithm. */
const algorithms = {
  PS256: { hash: "sha256", type: "rsa", bits: 2048 },
  PS384: { hash: "sha384", type: "rsa", bits: 3072 },
  PS512: { hash: "sha512", type: "rsa", bits: 4096 },
  ES256: { hash: "sha256", type: "ec", curve: "prime256v1" },
  ES384: { hash: "sha384", type: "ec", curve: "secp384r1" },
  ES512: { hash: "sha512", type: "ec", curve: "secp521r1" },
} as const;
export type AlgorithmName = keyof typeof algorithms;

/** @throws VerificationFailed for any other algorithm, such as `none` */
export function algorithmName(value: unknown): AlgorithmName {
  if (typeof value === "string" && Object.hasOwn(algorithms, value)) return value as AlgorithmName;
  throw refused(`it is signed with the algorithm ${show(value)}; only ${Object.keys(algorithms).join(", ")} are sound`);
}

/** @throws VerificationFailed unless the leaf's key made the signature with the one algorithm that goes with the key */
export function assertSignature({ algorithm, chain, signed, signature }: Envelope): void {
  const { hash, ...wanted } = algorithms[algorithm];
  const key = chain[0].publicKey;
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const fits =
    key.asymmetricKeyType === wanted.type &&
    ("bits" in wanted ? modulusLength === wanted.bits : namedCurve === wanted.curve);
  if (!fits) throw refused(`its algorithm ${algorithm} does not go with the key of its certificate`);
  const form = wanted.type === "rsa" ? pss(constants.RSA_PSS_SALTLEN_DIGEST) : { dsaEncoding: "ieee-p1363" as const };
  if (!isSignedBy(key, { hash, form }, signed, signature))
    throw refused("its signature does not fit its content, which was changed");
}

/** @throws VerificationFailed */
export function parseChain(certificates: readonly Uint8Array[]): Envelope["chain"] {
  if (certificates.length > maxChain)
    throw refused(`its chain has ${certificates.length} certificates, more than ${maxChain}`);
  const [leaf, ...rest] = certificates.map((bytes) => {
    try {
      return new X509Certificate(bytes);
    } catch (cause) {
      throw refused("its chain holds what is not a certificate", cause);
    }
  });
  if (leaf === undefined) throw refused("it carries no certificate chain");
  return [leaf, ...rest];
}

/** The signed headers as both formats have them; times are milliseconds. */
export interface SignedHeaders {
  readonly scheme: unknown;
  readonly signingTime: number | undefined;
  readonly authenticSigningTime: number | undefined;
  readonly expiry: number | undefined;
  readonly critical: readonly unknown[];
}

/**
 * Checks what the specification asks of the signed headers: the time that goes with the scheme, and that exactly what must
 * be understood is marked critical. A critical header that is not understood here (a plugin's) refuses the signature.
 *
 * @throws VerificationFailed
 */
export function checkHeaders(headers: SignedHeaders): Pick<Envelope, "scheme" | "signingTime" | "expiry"> {
  const { scheme, expiry } = headers;
  if (scheme !== "notary.x509" && scheme !== "notary.x509.signingAuthority")
    throw refused(`its signing scheme is ${show(scheme)}`);
  const byAuthority = scheme === "notary.x509.signingAuthority";
  const [own, other] = byAuthority
    ? [headers.authenticSigningTime, headers.signingTime]
    : [headers.signingTime, headers.authenticSigningTime];
  if (own === undefined) throw refused("it states no signing time");
  if (other !== undefined) throw refused(`it states a time that does not go with its scheme ${scheme}`);
  if (expiry !== undefined && expiry <= own) throw refused("it expires before it was made");
  assertCritical(headers.critical, [
    header.scheme,
    ...(byAuthority ? [header.authenticSigningTime] : []),
    ...(expiry === undefined ? [] : [header.expiry]),
  ]);
  return { scheme, signingTime: own, expiry };
}

function assertCritical(critical: readonly unknown[], must: readonly string[]): void {
  const missing = must.find((name) => !critical.includes(name));
  if (missing !== undefined) throw refused(`its header ${missing} is not marked critical`);
  const unknown = critical.find((name) => typeof name !== "string" || !must.includes(name));
  if (unknown !== undefined)
    throw refused(`it marks ${show(unknown)} as critical, which is not supported (verification plugins are not)`);
}
