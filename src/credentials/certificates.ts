import { X509Certificate } from "node:crypto";
import type { CodedError } from "../errors.ts";

/**
 * The certificates in a PEM text, of which there is at least one.
 * @param fail the error for a problem, a phrase such as `holds no certificate in PEM`
 */
export function parseCertificates(
  pem: string,
  fail: (problem: string, cause?: unknown) => CodedError,
): [X509Certificate, ...X509Certificate[]] {
  const blocks =
    pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
  const [first, ...rest] = blocks.map((block, at) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw fail(`holds a certificate (number ${at + 1}) that cannot be read`, cause);
    }
  });
  if (first === undefined) throw fail("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  return [first, ...rest];
}
