import { constants, createHash, type KeyObject, sign } from "node:crypto";
import type { Digest } from "../../oci/types.ts";
import type { TestLayer } from "./signed-artifact.ts";

export const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
export const inTotoType = "application/vnd.in-toto+json";

export type Sign = (data: Uint8Array) => Buffer;

/** @param hash null for Ed25519 */
export const signWith =
  (key: KeyObject, hash: string | null = "sha256"): Sign =>
  (data) =>
    sign(hash, data, key);

export const signPss =
  (key: KeyObject, hash = "sha256"): Sign =>
  (data) =>
    sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });

/** The payload of cosign's older signatures. */
export function simpleSigning(
  digest: string,
  changes: { readonly type?: string; readonly optional?: unknown } = {},
): Buffer {
  const { type = "cosign container image signature", optional = null } = changes;
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": "r.example/app" },
        image: { "docker-manifest-digest": digest },
        type,
      },
      optional,
    }),
  );
}

export function legacyLayer(
  payload: Buffer,
  signature: Buffer | string,
  annotations: Readonly<Record<string, string>> = {},
): TestLayer {
  const text = typeof signature === "string" ? signature : signature.toString("base64");
  return {
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    bytes: payload,
    annotations: { "dev.cosignproject.cosign/signature": text, ...annotations },
  };
}

export function statement(digest: Digest, changes: Readonly<Record<string, unknown>> = {}): Buffer {
  const body = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: digest.slice(7) } }],
    predicateType: "https://sigstore.dev/cosign/sign/v1",
    predicate: {},
  };
  return Buffer.from(JSON.stringify({ ...body, ...changes }));
}

export function pae(payloadType: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]);
}

export interface BundleOptions {
  readonly payloadType?: string;
  readonly material?: unknown;
  readonly signatures?: (signature: string) => unknown;
}

/** A v0.3 bundle with a DSSE envelope, as `cosign sign` makes them. */
export function dsseBundle(payload: Buffer, make: Sign, options: BundleOptions = {}): TestLayer {
  const {
    payloadType = inTotoType,
    material = { publicKey: { hint: "test" } },
    signatures = (sig) => [{ sig }],
  } = options;
  const signature = make(pae(payloadType, payload)).toString("base64");
  return bundleLayer({
    verificationMaterial: material,
    dsseEnvelope: { payload: payload.toString("base64"), payloadType, signatures: signatures(signature) },
  });
}

/** A v0.3 bundle with a signature over the bytes themselves. */
export function messageBundle(
  message: Buffer,
  make: Sign,
  digest = createHash("sha256").update(message).digest(),
): TestLayer {
  const messageSignature = {
    messageDigest: { algorithm: "SHA2_256", digest: digest.toString("base64") },
    signature: make(message).toString("base64"),
  };
  return bundleLayer({ verificationMaterial: { publicKey: { hint: "test" } }, messageSignature });
}

export function bundleLayer(fields: Readonly<Record<string, unknown>>): TestLayer {
  return { mediaType: bundleType, bytes: JSON.stringify({ mediaType: bundleType, ...fields }) };
}
