import { X509Certificate } from "node:crypto";
import { type Json, objectOf } from "../../text/json.ts";
import { refused } from "../findings.ts";
import { parseObject } from "../json.ts";

/**
 * Checks that the log's entry names the certificate that made the signature. Who watches a log looks for certificates: an
 * entry with the bare key would hide the signature from its owner.
 *
 * @param certificate DER
 * @param body of the entry, which the log has proved and which is about this signature
 * @throws VerificationFailed
 */
export function assertLoggedWith(certificate: Buffer, body: Buffer): void {
  const { kind, apiVersion, spec } = parseObject(body, "the body of its log entry");
  const read = readers[`${String(kind)} ${String(apiVersion)}`];
  const named = read?.(objectOf(spec));
  if (named?.equals(certificate) === true) return;
  throw refused("its log entry does not name the certificate that made it");
}

/** The certificate that an entry names, in DER; undefined where it names none. */
const readers: Readonly<Record<string, (spec: Json) => Buffer | undefined>> = {
  "hashedrekord 0.0.1": ({ signature }) => fromPem(objectOf(objectOf(signature)["publicKey"])["content"]),
  "dsse 0.0.1": ({ signatures }) => fromPem(firstOf(signatures)["verifier"]),
  "intoto 0.0.2": ({ content }) => fromPem(firstOf(objectOf(objectOf(content)["envelope"])["signatures"])["publicKey"]),
  "hashedrekord 0.0.2": ({ hashedRekordV002 }) => fromVerifier(objectOf(hashedRekordV002)["signature"]),
  "dsse 0.0.2": ({ dsseV002 }) => fromVerifier(firstOf(objectOf(dsseV002)["signatures"])),
};

const firstOf = (list: unknown): Json => objectOf(Array.isArray(list) ? list[0] : undefined);
const bytesOf = (base64: unknown): Buffer => Buffer.from(typeof base64 === "string" ? base64 : "", "base64");

function fromVerifier(signature: unknown): Buffer | undefined {
  return bytesOf(objectOf(objectOf(objectOf(signature)["verifier"])["x509Certificate"])["rawBytes"]);
}

function fromPem(base64: unknown): Buffer | undefined {
  try {
    return new X509Certificate(bytesOf(base64)).raw;
  } catch {
    return undefined;
  }
}
