import { createHash, X509Certificate } from "node:crypto";
import { RE2JS } from "re2js";
import { CodedError } from "../errors.ts";
import { parsePublicKeys } from "./cosign/keys.ts";
import { parseTrustPolicy } from "./notation/trust-policy.ts";
import type {
  CosignKeylessPolicy,
  CosignKeyPolicy,
  IdentityRule,
  NotationPolicy,
  OcmPolicy,
  TrustedKey,
  VerifyPolicy,
} from "./verifier.ts";

/** The fields of `spec.verify`. */
export interface VerifySpec {
  readonly provider: "cosign" | "notation" | "ocm";
  /** ocm: name of the signature that counts. */
  readonly signature?: string | undefined;
  readonly secretRef?: { readonly name: string } | undefined;
  readonly matchOIDCIdentity?: readonly { readonly issuer: string; readonly subject: string }[] | undefined;
  readonly trustedRootSecretRef?: { readonly name: string } | undefined;
}

/**
 * The decoded values of a Secret in the object's own namespace.
 * @param field the field of the spec that names it
 * @throws SecretNotFound
 */
export type ReadSecretValues = (name: string, field: string) => Promise<ReadonlyMap<string, Buffer>>;

const maxPatternLength = 1000;

/**
 * The same policy, for what was signed at least so long ago.
 * @param trustedRoot by which the log of signatures made with keys is judged; undefined: the public Sigstore's
 * @throws InvalidSpec for OCM, whose signatures nobody vouches for a time of
 */
export function aged(policy: VerifyPolicy, minAgeMs: number, trustedRoot?: string): VerifyPolicy {
  if (policy.provider === "ocm")
    throw new CodedError(
      "InvalidSpec",
      "verify.minAge needs a time that somebody vouches for, which the signatures of OCM component versions do not carry; remove minAge, or verify with cosign or notation",
    );
  const common = {
    minAgeMs,
    fingerprint: fingerprint("aged", [policy.fingerprint, trustedRoot ?? "", String(minAgeMs)]),
  };
  const isByKeys = policy.provider === "cosign" && policy.method === "keys";
  return { ...policy, ...common, ...(isByKeys && { trustedRoot }) };
}

/**
 * What `spec.verify` asks for, with its Secrets read and checked. Read anew for each reconcile: a rotated key counts at once.
 *
 * @throws InvalidSpec, InvalidPattern, SecretNotFound, SecretInvalid
 */
export async function readVerifyPolicy(
  spec: VerifySpec,
  read: ReadSecretValues,
  minAgeMs?: number,
): Promise<VerifyPolicy> {
  const { secretRef, trustedRootSecretRef } = spec;
  const policy = await readSigners(spec, read);
  if (minAgeMs === undefined) return policy;
  const isByKeys = secretRef !== undefined && trustedRootSecretRef !== undefined;
  return aged(policy, minAgeMs, isByKeys ? await readTrustedRoot(trustedRootSecretRef.name, read) : undefined);
}

async function readSigners(spec: VerifySpec, read: ReadSecretValues): Promise<VerifyPolicy> {
  const { provider, secretRef, matchOIDCIdentity = [], trustedRootSecretRef } = spec;
  if (secretRef !== undefined) {
    const values = await read(secretRef.name, "verify.secretRef");
    const place = `Secret ${secretRef.name}`;
    if (provider === "ocm") return ocmPolicy(values, place, spec.signature);
    return provider === "notation" ? notationPolicy(values, place) : cosignKeyPolicy(values, place);
  }
  if (provider !== "cosign")
    throw new CodedError(
      "InvalidSpec",
      `verify with the provider ${provider} needs secretRef: a Secret with ${neededValues[provider]}`,
    );
  return keylessPolicy(
    matchOIDCIdentity,
    trustedRootSecretRef && (await readTrustedRoot(trustedRootSecretRef.name, read)),
  );
}

const neededValues = {
  notation: "trustpolicy.json and certificates *.crt or *.pem",
  ocm: "public keys *.pub",
} as const;

async function readTrustedRoot(name: string, read: ReadSecretValues): Promise<string> {
  const json = (await read(name, "verify.trustedRootSecretRef")).get("trusted_root.json")?.toString("utf8");
  if (!json) throw new CodedError("SecretInvalid", `Secret ${name} has no trusted_root.json`);
  return json;
}

/** @param values every `*.pub` is a key @param place for messages @throws SecretInvalid */
export function cosignKeyPolicy(values: ReadonlyMap<string, Buffer>, place: string): CosignKeyPolicy {
  return cosignKeysPolicy(publicKeys(values, place, "cosign.pub"));
}

/** The same, of keys that were read. */
export function cosignKeysPolicy(keys: readonly TrustedKey[]): CosignKeyPolicy {
  return { provider: "cosign", method: "keys", keys, fingerprint: fingerprint("keys", keys.map(keyBytes).sort()) };
}

/**
 * @param values every `*.pub` is a key
 * @param signature name of the one that counts; undefined: any
 * @throws SecretInvalid also where a key is not RSA, with which alone OCM signs
 */
export function ocmPolicy(
  values: ReadonlyMap<string, Buffer>,
  place: string,
  signature: string | undefined,
): OcmPolicy {
  return ocmKeysPolicy(publicKeys(values, place, "ocm.pub"), place, signature);
}

/** The same, of keys that were read. */
export function ocmKeysPolicy(keys: readonly TrustedKey[], place: string, signature: string | undefined): OcmPolicy {
  const other = keys.find(({ key }) => !key.asymmetricKeyType?.startsWith("rsa"));
  if (other !== undefined)
    throw new CodedError("SecretInvalid", `${place}: ${other.name} is not an RSA key, and OCM signs with RSA alone`);
  return {
    provider: "ocm",
    keys,
    signature,
    fingerprint: fingerprint("ocm", [signature ?? "", String(signature === undefined), ...keys.map(keyBytes).sort()]),
  };
}

/** @param example how a key may be called, for the message */
function publicKeys(values: ReadonlyMap<string, Buffer>, place: string, example: string): TrustedKey[] {
  const keys = [...values]
    .filter(([name]) => name.endsWith(".pub"))
    .flatMap(([name, bytes]) => parsePublicKeys(bytes.toString("utf8"), name, place));
  if (keys.length > 0) return keys;
  throw new CodedError("SecretInvalid", `${place} has no key *.pub; store the public key as ${example}`);
}

/** @param trustedRoot undefined for the public Sigstore @throws InvalidPattern */
export function keylessPolicy(
  identities: readonly { readonly issuer: string; readonly subject: string }[],
  trustedRoot: string | undefined,
): CosignKeylessPolicy {
  return {
    provider: "cosign",
    method: "keyless",
    identities: identities.map(identityRule),
    trustedRoot,
    fingerprint: fingerprint("keyless", [
      trustedRoot ?? "",
      ...identities.flatMap(({ issuer, subject }) => [issuer, subject]),
    ]),
  };
}

/** @param values `trustpolicy.json`, and every `*.crt` and `*.pem` is a certificate @throws SecretInvalid */
export function notationPolicy(values: ReadonlyMap<string, Buffer>, place: string): NotationPolicy {
  const document = values.get("trustpolicy.json");
  if (document === undefined) throw new CodedError("SecretInvalid", `${place} has no trustpolicy.json`);
  const files = [...values].filter(([name]) => /\.(crt|pem)$/.test(name));
  if (files.length === 0) throw new CodedError("SecretInvalid", `${place} has no certificate *.crt or *.pem`);
  const certificates = files.flatMap(([name, bytes]) => parseCertificates(bytes, `${place}: ${name}`));
  return {
    provider: "notation",
    trustPolicy: parseTrustPolicy(document, `${place}, key trustpolicy.json`),
    certificates,
    fingerprint: fingerprint("notation", [
      document.toString("base64"),
      ...certificates.map(({ raw }) => raw.toString("base64")).sort(),
    ]),
  };
}

function identityRule({ issuer, subject }: { readonly issuer: string; readonly subject: string }): IdentityRule {
  const [issuerPattern, subjectPattern] = [compile(issuer, "issuer"), compile(subject, "subject")];
  // The whole text has to match: "example.com" alone must not accept "example.com.attacker.test".
  return {
    issuer,
    subject,
    matches: (foundIssuer, foundSubject) => issuerPattern.matches(foundIssuer) && subjectPattern.matches(foundSubject),
  };
}

function compile(pattern: string, field: string): RE2JS {
  if (pattern.length > maxPatternLength)
    throw new CodedError("InvalidPattern", `matchOIDCIdentity: ${field} is longer than ${maxPatternLength} characters`);
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    throw new CodedError(
      "InvalidPattern",
      `matchOIDCIdentity: ${field} "${pattern.slice(0, 100)}" is not an RE2 regular expression`,
      { cause },
    );
  }
}

/** PEM with any number of certificates, or one in DER. */
function parseCertificates(bytes: Buffer, name: string): X509Certificate[] {
  const text = bytes.toString("latin1");
  const blocks =
    text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ??
    (text.includes("-----BEGIN") ? [] : [bytes]);
  if (blocks.length === 0) throw new CodedError("SecretInvalid", `${name} holds no certificate`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new CodedError("SecretInvalid", `${name} holds a certificate that cannot be read`, { cause });
    }
  });
}

const keyBytes = ({ key }: TrustedKey): string => key.export({ type: "spki", format: "der" }).toString("base64");

function fingerprint(kind: string, parts: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([kind, ...parts]))
    .digest("base64");
}
