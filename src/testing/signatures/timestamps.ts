import { createHash, randomBytes, sign } from "node:crypto";
import { factsOf } from "../../verify/notation/certificate-facts.ts";
import {
  der,
  derInteger,
  derOid,
  derTime,
  makeCertificate,
  sequence,
  type TestCertificate,
  timeStamping,
} from "./certificates.ts";

const signedData = "1.2.840.113549.1.7.2";
const tstInfoType = "1.2.840.113549.1.9.16.1.4";
const contentTypeAttribute = "1.2.840.113549.1.9.3";
const messageDigestAttribute = "1.2.840.113549.1.9.4";
const signingCertificateAttribute = "1.2.840.113549.1.9.16.2.47";
const sha256Algorithm = sequence(derOid("2.16.840.1.101.3.4.2.1"));
const sha256 = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();

export interface TokenOptions {
  readonly time: Date;
  /** Who signs, and the authorities that go along. */
  readonly chain: readonly [TestCertificate, ...TestCertificate[]];
  /** DER of the request's nonce, to be sent back. */
  readonly nonce?: Buffer | undefined;
  readonly policy?: string;
  /** DER. */
  readonly accuracy?: Buffer;
  readonly version?: number;
  /** DER of the hash that the imprint names. */
  readonly imprintAlgorithm?: Buffer;
  /** Changes of the signed attributes, by number; undefined leaves one out. */
  readonly attributes?: Readonly<Record<string, Buffer | undefined>>;
  /** Changes what was signed. */
  readonly changeInfo?: (info: Buffer) => Buffer;
  readonly changeSignature?: (signature: Buffer) => Buffer;
}

/** A timestamp token (RFC 3161, 2.4.2). @param digest SHA-256 of what is timestamped */
export function timestampToken(digest: Uint8Array, options: TokenOptions): Buffer {
  const { chain, nonce, accuracy, changeInfo = (same) => same } = options;
  const info = sequence(
    derInteger(options.version ?? 1),
    derOid(options.policy ?? "1.3.6.1.4.1.57264.2"),
    sequence(options.imprintAlgorithm ?? sha256Algorithm, der(0x04, digest)),
    der(0x02, Buffer.from([0x01]), randomBytes(8)),
    derTime(options.time),
    ...(accuracy === undefined ? [] : [accuracy]),
    ...(nonce === undefined ? [] : [nonce]),
  );
  const signed = sequence(
    derInteger(3),
    der(0x31, sha256Algorithm),
    sequence(derOid(tstInfoType), der(0xa0, der(0x04, changeInfo(info)))),
    der(0xa0, ...chain.map(({ certificate }) => certificate.raw)),
    der(0x31, signerInfo(info, options)),
  );
  return sequence(derOid(signedData), der(0xa0, signed));
}

function signerInfo(
  info: Buffer,
  { chain: [signer], attributes: changes, changeSignature = (same) => same }: TokenOptions,
): Buffer {
  const { certificate, privateKey } = signer;
  const values: Readonly<Record<string, Buffer | undefined>> = {
    [contentTypeAttribute]: derOid(tstInfoType),
    [messageDigestAttribute]: der(0x04, sha256(info)),
    [signingCertificateAttribute]: sequence(sequence(sequence(der(0x04, sha256(certificate.raw))))),
    ...changes,
  };
  const attributes = Object.entries(values)
    .flatMap(([oid, value]) => (value === undefined ? [] : [sequence(derOid(oid), der(0x31, value))]))
    .toSorted((a, b) => Buffer.compare(a, b));
  return sequence(
    derInteger(1),
    sequence(sequence(factsOf(certificate).issuer), der(0x02, Buffer.from(certificate.serialNumber, "hex"))),
    sha256Algorithm,
    der(0xa0, ...attributes),
    sequence(derOid("1.2.840.10045.4.3.2")),
    der(0x04, changeSignature(sign("sha256", der(0x31, ...attributes), privateKey))),
  );
}

/** A timestamp authority (RFC 3161), whose certificate a root of its own has issued. */
export class TestTimestampAuthority {
  readonly root: TestCertificate = makeCertificate({
    subject: { O: "tsa.test", CN: "tsa root" },
    ca: true,
    notBefore: new Date("2020-01-01T00:00:00Z"),
  });
  readonly leaf: TestCertificate = makeCertificate({
    subject: { O: "tsa.test", CN: "tsa" },
    issuer: this.root,
    notBefore: new Date("2020-01-01T00:00:00Z"),
    purposes: [timeStamping],
    purposesCritical: true,
  });

  /** As `trusted_root.json` lists it. */
  readonly listed = {
    subject: { organization: "tsa.test", commonName: "tsa" },
    uri: "https://tsa.test",
    certChain: {
      certificates: [this.leaf, this.root].map(({ certificate }) => ({ rawBytes: certificate.raw.toString("base64") })),
    },
    validFor: { start: "2020-01-01T00:00:00Z" },
  };

  /** A response to a request to timestamp `data`. */
  stamp(data: Uint8Array, time: Date, options: Pick<TokenOptions, "nonce"> = {}): Buffer {
    return this.stampDigest(sha256(data), time, options);
  }

  /** @param digest SHA-256 of what is timestamped */
  stampDigest(digest: Uint8Array, time: Date, { nonce }: Pick<TokenOptions, "nonce"> = {}): Buffer {
    return sequence(sequence(derInteger(0)), this.token(digest, { time, nonce }));
  }

  /** What a response carries. @param digest as above */
  token(digest: Uint8Array, options: Partial<TokenOptions> = {}): Buffer {
    return timestampToken(digest, { time: new Date(Date.now() - 60_000), chain: [this.leaf], ...options });
  }
}
