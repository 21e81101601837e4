import type { X509Certificate } from "node:crypto";
import { refused } from "../findings.ts";
import { childrenOf, derTag, type Element, readElements, readOid } from "./der.ts";

/** What node:crypto does not show of a certificate (RFC 5280, 4.1). */
export interface CertificateFacts {
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  /** As DER's integer has it. */
  readonly serial: Buffer;
  /** Names in DER. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The public key itself, without its algorithm. */
  readonly publicKey: Buffer;
  readonly extensions: Extensions;
}

export interface Extension {
  readonly critical: boolean;
  /** The first element of its value. */
  readonly value: Element | undefined;
}
export type Extensions = ReadonlyMap<string, Extension>;

/** @throws VerificationFailed */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  return readDer(() => {
    const [tbs, algorithm, signature] = childrenOf(readElements(certificate.raw)[0]);
    const fields = childrenOf(tbs);
    const [serial, , issuer, , subject, keyInfo] = fields[0]?.tag === derTag.version ? fields.slice(1) : fields;
    const [, publicKey] = childrenOf(keyInfo);
    if (serial === undefined || issuer === undefined || subject === undefined || publicKey === undefined)
      throw new RangeError("certificate without names, number or key");
    return {
      serial: serial.content,
      issuer: issuer.content,
      subject: subject.content,
      publicKey: publicKey.content.subarray(1),
      signatureAlgorithm: readOid(childrenOf(algorithm)[0]),
      // The first byte of a bit string counts the unused bits of the last one.
      signature: signature?.content.subarray(1) ?? Buffer.alloc(0),
      extensions: extensionsOf(childrenOf(fields.find(({ tag }) => tag === derTag.extensions))[0]),
    };
  });
}

/** @param list a sequence of extensions; undefined for none @throws RangeError */
export function extensionsOf(list: Element | undefined): Extensions {
  return new Map(
    childrenOf(list).map((extension) => {
      const { id, critical, octets } = extensionHead(extension);
      return [id, { critical, value: readElements(octets)[0] }];
    }),
  );
}

/** The same of one, whatever its value is. @throws RangeError */
export function extensionHead(extension: Element): { id: string; critical: boolean; octets: Buffer } {
  const parts = childrenOf(extension);
  return {
    id: readOid(parts[0]),
    critical: parts.some(({ tag, content }) => tag === derTag.boolean && content[0] !== 0),
    octets: parts.find(({ tag }) => tag === derTag.octetString)?.content ?? Buffer.alloc(0),
  };
}

/** @throws VerificationFailed where `read` meets what is not DER */
export function readDer<T>(read: () => T, what = "its certificate"): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RangeError) throw refused(`${what} cannot be read`, cause);
    throw cause;
  }
}
