import { createHash, randomBytes, sign } from "node:crypto";
import {
  der,
  derInteger,
  derName,
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

export interface TimestampOptions {
  /** DER of the request's nonce, to be sent back. */
  readonly nonce?: Buffer;
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
  stamp(data: Uint8Array, time: Date, options: TimestampOptions = {}): Buffer {
    return this.stampDigest(createHash("sha256").update(data).digest(), time, options);
  }

  /** @param digest SHA-256 of what is timestamped */
  stampDigest(digest: Uint8Array, time: Date, { nonce }: TimestampOptions = {}): Buffer {
    const info = sequence(
      derInteger(1),
      derOid("1.3.6.1.4.1.57264.2"),
      sequence(sha256Algorithm, der(0x04, digest)),
      der(0x02, Buffer.from([0x01]), randomBytes(8)),
      derTime(time),
      ...(nonce === undefined ? [] : [nonce]),
    );
    const signed = sequence(
      derInteger(3),
      der(0x31, sha256Algorithm),
      sequence(derOid(tstInfoType), der(0xa0, der(0x04, info))),
      der(0xa0, this.leaf.certificate.raw),
      der(0x31, this.#signerInfo(info)),
    );
    return sequence(sequence(derInteger(0)), sequence(derOid(signedData), der(0xa0, signed)));
  }

  #signerInfo(info: Buffer): Buffer {
    const { certificate, privateKey } = this.leaf;
    const hash = createHash("sha256").update(certificate.raw).digest();
    const attributes = [
      attribute(contentTypeAttribute, derOid(tstInfoType)),
      attribute(messageDigestAttribute, der(0x04, createHash("sha256").update(info).digest())),
      attribute(signingCertificateAttribute, sequence(sequence(sequence(der(0x04, hash))))),
    ].toSorted((a, b) => Buffer.compare(a, b));
    return sequence(
      derInteger(1),
      sequence(derName(this.root.subject), der(0x02, Buffer.from(certificate.serialNumber, "hex"))),
      sha256Algorithm,
      der(0xa0, ...attributes),
      sequence(derOid("1.2.840.10045.4.3.2")),
      der(0x04, sign("sha256", der(0x31, ...attributes), privateKey)),
    );
  }
}

const attribute = (oid: string, value: Buffer): Buffer => sequence(derOid(oid), der(0x31, value));
