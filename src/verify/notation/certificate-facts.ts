import type { X509Certificate } from "node:crypto";
import { refused } from "../findings.ts";
import { childrenOf, derTag, type Element, readElements, readOid } from "./der.ts";

/** What node:crypto does not show of a certificate (RFC 5280, 4.1). */
export interface CertificateFacts {
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  /** Names in DER. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly extensions: ReadonlyMap<string, { readonly critical: boolean; readonly value: Element | undefined }>;
}

/** @throws VerificationFailed */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  return readDer(() => {
    const [tbs, algorithm, signature] = childrenOf(readElements(certificate.raw)[0]);
    const fields = childrenOf(tbs);
    const [, , issuer, , subject] = fields[0]?.tag === derTag.version ? fields.slice(1) : fields;
    if (issuer === undefined || subject === undefined) throw new RangeError("certificate without names");
    const [list] = childrenOf(fields.find(({ tag }) => tag === derTag.extensions));
    return {
      issuer: issuer.content,
      subject: subject.content,
      signatureAlgorithm: readOid(childrenOf(algorithm)[0]),
      // The first byte of a bit string counts the unused bits of the last one.
      signature: signature?.content.subarray(1) ?? Buffer.alloc(0),
      extensions: new Map(childrenOf(list).map(extensionOf)),
    };
  });
}

function extensionOf(extension: Element): [string, { critical: boolean; value: Element | undefined }] {
  const parts = childrenOf(extension);
  const critical = parts.some(({ tag, content }) => tag === derTag.boolean && content[0] !== 0);
  const [value] = childrenOf(parts.find(({ tag }) => tag === derTag.octetString));
  return [readOid(parts[0]), { critical, value }];
}

/** @throws VerificationFailed where `read` meets what is no DER */
export function readDer<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RangeError) throw refused("its certificate cannot be read", cause);
    throw cause;
  }
}
