import { constants, type KeyObject, sign } from "node:crypto";
import { encode, Tagged } from "cborg";
import type { Descriptor } from "../../oci/types.ts";
import type { TestCertificate } from "./certificates.ts";
import type { TestLayer } from "./signed-artifact.ts";

const timestampHeader = "io.cncf.notary.timestampSignature";
export const notationType = "application/vnd.cncf.notary.signature";
const payloadType = "application/vnd.cncf.notary.payload.v1+json";

export interface NotationOptions {
  readonly algorithm?: string;
  readonly key?: KeyObject;
  /** Changes of the signed headers, by name; undefined removes one. */
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly payload?: unknown;
  readonly chain?: readonly Uint8Array[];
  readonly signingTime?: Date;
  /** What a timestamp authority makes of the signature. */
  readonly timestamp?: (signature: Buffer) => unknown;
}

const hashes: Readonly<Record<string, string>> = { "256": "sha256", "384": "sha384", "512": "sha512" };
const coseAlgorithms: Readonly<Record<string, number>> = {
  PS256: -37,
  PS384: -38,
  PS512: -39,
  ES256: -7,
  ES384: -35,
  ES512: -36,
};
const coseLabels: Readonly<Record<string, number>> = { alg: 1, crit: 2, cty: 3 };

function signRaw(algorithm: string, data: Buffer, key: KeyObject): Buffer {
  const hash = hashes[algorithm.slice(2)] ?? "sha256";
  if (key.asymmetricKeyType === "ec") return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
  return sign(hash, data, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

function targetOf({ mediaType, digest, size }: Descriptor): Buffer {
  return Buffer.from(JSON.stringify({ targetArtifact: { mediaType, digest, size } }));
}

function headersOf({
  algorithm = "ES256",
  headers = {},
  signingTime = new Date(Date.now() - 60_000),
}: NotationOptions): Record<string, unknown> {
  const all = {
    alg: algorithm,
    cty: payloadType,
    crit: ["io.cncf.notary.signingScheme"],
    "io.cncf.notary.signingScheme": "notary.x509",
    "io.cncf.notary.signingTime": signingTime,
    ...headers,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const payloadOf = (root: Descriptor, { payload }: NotationOptions): Buffer =>
  payload === undefined ? targetOf(root) : Buffer.from(JSON.stringify(payload));

function signingOf(signers: readonly [TestCertificate, ...TestCertificate[]], options: NotationOptions) {
  const {
    algorithm = "ES256",
    key = signers[0].privateKey,
    chain = signers.map(({ certificate }) => certificate.raw),
  } = options;
  return { algorithm, key, chain };
}

/** The layer of a notation signature in a JWS envelope. */
export function jwsLayer(
  root: Descriptor,
  signers: readonly [TestCertificate, ...TestCertificate[]],
  options: NotationOptions = {},
): TestLayer {
  const { algorithm, key, chain } = signingOf(signers, options);
  const json = (_: string, value: unknown): unknown =>
    typeof value === "string" ? value.replace(/\.000Z$/, "Z") : value;
  const signedPart = Buffer.from(JSON.stringify(headersOf(options), json)).toString("base64url");
  const payload = payloadOf(root, options).toString("base64url");
  const signature = signRaw(algorithm, Buffer.from(`${signedPart}.${payload}`), key);
  const timestamp = options.timestamp?.(signature);
  const x5c = chain.map((raw) => Buffer.from(raw).toString("base64"));
  return {
    mediaType: "application/jose+json",
    bytes: JSON.stringify({
      payload,
      protected: signedPart,
      header: { x5c, [timestampHeader]: Buffer.isBuffer(timestamp) ? timestamp.toString("base64") : timestamp },
      signature: signature.toString("base64url"),
    }),
  };
}

/** The layer of a notation signature in a COSE envelope. */
export function coseLayer(
  root: Descriptor,
  signers: readonly [TestCertificate, ...TestCertificate[]],
  options: NotationOptions = {},
): TestLayer {
  const { algorithm, key, chain } = signingOf(signers, options);
  const headers = new Map(
    Object.entries(headersOf(options)).map(([name, value]) => [coseLabels[name] ?? name, coseValue(name, value)]),
  );
  const signedPart = encode(headers);
  const payload = payloadOf(root, options);
  const signature = signRaw(algorithm, Buffer.from(encode(["Signature1", signedPart, new Uint8Array(), payload])), key);
  const unprotected = new Map<unknown, unknown>([[33, chain]]);
  if (options.timestamp !== undefined) unprotected.set(timestampHeader, options.timestamp(signature));
  return {
    mediaType: "application/cose",
    bytes: encode(new Tagged(18, [signedPart, unprotected, payload, signature])),
  };
}

function coseValue(name: string, value: unknown): unknown {
  if (value instanceof Date) return new Tagged(1, Math.floor(value.getTime() / 1000));
  return name === "alg" ? (coseAlgorithms[value as string] ?? value) : value;
}
