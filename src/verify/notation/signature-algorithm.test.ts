import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { expect, it } from "vitest";
import {
  der,
  derInteger,
  derOid,
  ecKeys,
  makeCertificate,
  pssKeys,
  sequence,
} from "../../testing/signatures/certificates.ts";
import { readElement } from "./der.ts";
import { isMadeBy } from "./signature-algorithm.ts";

const data = Buffer.from("what is signed");
const keys = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  pss: pssKeys(),
  p256: ecKeys(),
  p384: ecKeys("P-384"),
};
const algorithm = (oid: string, ...parameters: readonly Buffer[]): Buffer => sequence(derOid(oid), ...parameters);
const none = der(0x05);
const hash = {
  sha1: algorithm("1.3.14.3.2.26", none),
  sha256: algorithm("2.16.840.1.101.3.4.2.1", none),
  sha512: algorithm("2.16.840.1.101.3.4.2.3"),
};
const pss = (named: Buffer): Buffer =>
  algorithm("1.2.840.113549.1.1.10", sequence(der(0xa0, named), der(0xa2, derInteger(32))));
const rsa = algorithm("1.2.840.113549.1.1.1", none);

interface Case {
  readonly by: keyof typeof keys;
  readonly algorithm: Buffer;
  readonly digest?: Buffer;
  /** With which it is signed. */
  readonly hash?: string;
  readonly padding?: number;
}

function isGood({ by, algorithm: bytes, digest, hash: name = "sha256", padding }: Case, key?: KeyObject): boolean {
  const { certificate } = makeCertificate({ keys: keys[by] });
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  const signature = sign(name, data, {
    key: key ?? keys[by].privateKey,
    ...(padding !== undefined && { padding, saltLength }),
  });
  return isMadeBy(certificate, {
    algorithm: readElement(bytes),
    digest: digest && readElement(digest),
    data,
    signature,
  });
}

const pssPadding = constants.RSA_PKCS1_PSS_PADDING;

it.each<[string, Case]>([
  ["RSA with SHA-256", { by: "rsa", algorithm: algorithm("1.2.840.113549.1.1.11", none) }],
  ["RSA with SHA-512", { by: "rsa", algorithm: algorithm("1.2.840.113549.1.1.13", none), hash: "sha512" }],
  ["RSA whose hash is named beside it", { by: "rsa", algorithm: rsa, digest: hash.sha512, hash: "sha512" }],
  ["RSASSA-PSS", { by: "rsa", algorithm: pss(hash.sha256), padding: pssPadding }],
  ["RSASSA-PSS by a key for that alone", { by: "pss", algorithm: pss(hash.sha256) }],
  ["ECDSA", { by: "p256", algorithm: algorithm("1.2.840.10045.4.3.2") }],
  ["ECDSA on another curve", { by: "p384", algorithm: algorithm("1.2.840.10045.4.3.3"), hash: "sha384" }],
])("%s is sound", (_, found) => {
  expect(isGood(found)).toBe(true);
  expect(isGood(found, generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey)).toBe(false);
});

it.each<[string, Case]>([
  ["RSA with SHA-1", { by: "rsa", algorithm: algorithm("1.2.840.113549.1.1.5", none), hash: "sha1" }],
  ["RSA with SHA-1 named beside it", { by: "rsa", algorithm: rsa, digest: hash.sha1, hash: "sha1" }],
  ["RSA without a hash", { by: "rsa", algorithm: rsa }],
  [
    "RSASSA-PSS with SHA-1, which is its default",
    { by: "rsa", algorithm: algorithm("1.2.840.113549.1.1.10", sequence()), hash: "sha1", padding: pssPadding },
  ],
  ["ECDSA with SHA-1", { by: "p256", algorithm: algorithm("1.2.840.10045.4.1"), hash: "sha1" }],
  ["another algorithm than that of the key", { by: "p256", algorithm: algorithm("1.2.840.113549.1.1.11", none) }],
  ["an unknown algorithm", { by: "p256", algorithm: algorithm("1.2.3") }],
])("%s is not", (_, found) => {
  expect(isGood(found)).toBe(false);
});
