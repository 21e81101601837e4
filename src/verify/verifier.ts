import type { KeyObject, X509Certificate } from "node:crypto";
import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { TrustPolicyDocument } from "./notation/trust-policy.ts";

/** A trusted public key and where it stands, such as `cosign.pub`. */
export interface TrustedKey {
  readonly name: string;
  readonly key: KeyObject;
}

/** Who may have signed; each expression has to match the whole text. */
export interface IdentityRule {
  readonly issuer: string;
  readonly subject: string;
  matches(issuer: string, subject: string): boolean;
}

/** What an artifact is checked against; made by `readVerifyPolicy` or by the command line. */
export type VerifyPolicy = CosignKeyPolicy | CosignKeylessPolicy | NotationPolicy | OcmPolicy;

interface CommonPolicy {
  /** Equal for policies that accept the same signatures: part of the key under which results are kept. */
  readonly fingerprint: string;
  /** Milliseconds: how long ago a log or a timestamp authority must have seen the signature; undefined: it need not have. */
  readonly minAgeMs?: number | undefined;
}

interface CosignPolicy extends CommonPolicy {
  readonly provider: "cosign";
  /** Annotations that must have been signed along with the digest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface CosignKeyPolicy extends CosignPolicy {
  readonly method: "keys";
  /** Any of them may have signed. */
  readonly keys: readonly TrustedKey[];
  /** `trusted_root.json`, by which `minAgeMs` is judged; undefined is the public Sigstore. */
  readonly trustedRoot?: string | undefined;
}

export interface CosignKeylessPolicy extends CosignPolicy {
  readonly method: "keyless";
  /** One must match; none at all accepts everyone whom the trusted root vouches for. */
  readonly identities: readonly IdentityRule[];
  /** `trusted_root.json`; undefined is the public Sigstore. */
  readonly trustedRoot: string | undefined;
}

export interface NotationPolicy extends CommonPolicy {
  readonly provider: "notation";
  readonly trustPolicy: TrustPolicyDocument;
  readonly certificates: readonly X509Certificate[];
}

/** A signature in the descriptor of an OCM component version. */
export interface OcmPolicy extends CommonPolicy {
  readonly provider: "ocm";
  /** RSA; any of them may have signed. */
  readonly keys: readonly TrustedKey[];
  /** Name of the signature that counts; undefined: any. */
  readonly signature: string | undefined;
}

export interface VerifyRequest {
  /** Where the artifact and its signatures are. */
  readonly repository: Repository;
  /** What the reference resolved to, or a selected child of it. */
  readonly root: Descriptor;
  readonly policy: VerifyPolicy;
  readonly signal: AbortSignal;
}

export interface Verification {
  readonly provider: VerifyPolicy["provider"];
  /**
   * `ignored` where a notation trust policy says to skip verification, or only logs that the signer is not trusted: the
   * artifact may be used, but is not verified.
   */
  readonly result: "verified" | "ignored";
  /** Who signed, for the condition: `key cosign.pub`, `subject … by issuer …`, `CN=…`. */
  readonly identity: string;
  /** The SHA-256 of the public key that signed, in DER (SPKI). Undefined where a certificate signed. */
  readonly key?: Digest | undefined;
  /** Milliseconds since the epoch: the earliest time that a log or a timestamp authority vouches for. */
  readonly signedAt?: number | undefined;
  /** Manifest of the signature, or with the descriptor that it is in; undefined where verification was skipped. */
  readonly signature: Digest | undefined;
  /** What the policy says to log instead of to enforce. */
  readonly warnings: readonly string[];
  /** Milliseconds since the epoch after which it has to be verified anew: an envelope or a certificate expires. */
  readonly validUntil: number | undefined;
}

/** Checks that an artifact carries a good signature. */
export interface Verifier {
  /**
   * Reads only signatures, and the root's own manifest where a signature is over its bytes; never a child.
   *
   * @throws TooYoung where the signature is good and the policy's `minAgeMs` is not over, with `details.until`;
   * VerificationFailed with what was looked for and what was found; `details.signatures` is how many there were.
   * RegistryUnreachable and other errors of the repository pass through: then nothing is known about the artifact
   */
  verify(request: VerifyRequest): Promise<Verification>;
}

/**
 * Verifies the root or, where it carries no signature at all, each of the selected manifests by its own. A root with a bad
 * signature is refused: somebody has signed it, and it is not what was signed.
 *
 * @param selected the manifests that layers are taken from; called only where the root is unsigned, and may read manifests
 * but no layer
 * @throws VerificationFailed, what `selected` throws, and what the verifier throws
 */
export async function verifyRootOrSelected(
  verifier: Verifier,
  request: VerifyRequest,
  selected: () => Promise<readonly Descriptor[]>,
): Promise<Verification> {
  try {
    return await verifier.verify(request);
  } catch (error) {
    if (!isUnsigned(error)) throw error;
    const children = (await selected()).filter(({ digest }) => digest !== request.root.digest);
    const verifications: Verification[] = [];
    for (const root of children) verifications.push(await verifier.verify({ ...request, root }));
    const [first] = verifications;
    if (first === undefined) throw error;
    return combine(first, verifications);
  }
}

function isUnsigned(error: unknown): boolean {
  return error instanceof CodedError && error.code === "VerificationFailed" && error.details?.["signatures"] === 0;
}

function combine(first: Verification, all: readonly Verification[]): Verification {
  const ends = all.flatMap(({ validUntil }) => validUntil ?? []);
  return {
    ...first,
    result: all.every(({ result }) => result === "verified") ? "verified" : "ignored",
    identity: [...new Set(all.map(({ identity }) => identity))].join("; "),
    warnings: all.flatMap(({ warnings }) => warnings),
    validUntil: ends.length === 0 ? undefined : Math.min(...ends),
  };
}
