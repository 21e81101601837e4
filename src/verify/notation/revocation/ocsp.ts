import { createHash, X509Certificate } from "node:crypto";
import { isIssuedBy, purpose, purposesOf } from "../certificate.ts";
import { extensionHead, extensionsOf, factsOf } from "../certificate-facts.ts";
import {
  childrenOf,
  context,
  contextValue,
  derTag,
  type Element,
  expectTag,
  readBits,
  readElement,
  readNumber,
  readOid,
  readTime,
  writeElement,
} from "../der.ts";
import { isMadeBy } from "../signature-algorithm.ts";
import { assertCurrent, isBefore, type Link, type Moment, reasonOf, type State, tagged } from "./state.ts";

const oid = { basic: "1.3.6.1.5.5.7.48.1.1", noCheck: "1.3.6.1.5.5.7.48.1.5", invalidityDate: "2.5.29.24" };
/** RFC 6960, 4.2.1 */
const statuses = ["successful", "malformedRequest", "internalError", "tryLater", "", "sigRequired", "unauthorized"];
/** SHA-1 only names the issuer here. It is the one hash that all responders know (RFC 5019). */
const sha1Algorithm = Buffer.from("300906052b0e03021a0500", "hex");
const nameHashes: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const maxResponders = 10;

/** What a responder has said, and by which certificate besides the issuer's own. */
export interface OcspAnswer {
  readonly state: State;
  /** A responder whose own state the issuer does not vouch for; undefined where there is nothing to ask. */
  readonly responder: X509Certificate | undefined;
}

/** A request about one certificate (RFC 6960, 4.1.1), without a nonce: most responders answer from a store. */
export function ocspRequest({ certificate, issuer }: Link): Buffer {
  const [hashedName, hashedKey] = namesOf(issuer, "sha1");
  const id = sequence(
    sha1Algorithm,
    writeElement(derTag.octetString, hashedName),
    writeElement(derTag.octetString, hashedKey),
    writeElement(derTag.integer, factsOf(certificate).serial),
  );
  return sequence(sequence(sequence(sequence(id))));
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => writeElement(derTag.sequence, ...parts);

/**
 * Reads an answer and proves it: it is about this certificate, current, and signed by the issuer or by whom the issuer has
 * named for that.
 *
 * @throws RangeError with why it does not count
 */
export function readOcspAnswer(body: Buffer, link: Link, moment: Moment): OcspAnswer {
  const { data, responder } = provenData(body, link, moment.now);
  const fields = childrenOf(data);
  const listed = fields.find(({ tag }, at) => at > 0 && tag === derTag.sequence);
  assertNoCritical(tagged(fields.slice(2), 1));
  const mine = childrenOf(listed)
    .map(childrenOf)
    .find(([id]) => isAbout(id, link));
  if (mine === undefined) throw new RangeError("it is about another certificate");
  return { state: stateOf(mine, moment), responder };
}

/** BasicOCSPResponse (RFC 6960, 4.2.1): what is signed in it, and by whom. */
function provenData(body: Buffer, link: Link, now: number): { data: Element; responder: X509Certificate | undefined } {
  const [status, wrapped] = childrenOf(readElement(body));
  const code = readNumber(expectTag(status, derTag.enumerated));
  if (code !== 0) throw new RangeError(`the server answers ${statuses[code] || `status ${code}`}`);
  const [type, octets] = childrenOf(childrenOf(expectTag(wrapped, context(0)))[0]);
  if (readOid(type) !== oid.basic) throw new RangeError(`it is of the unknown type ${readOid(type)}`);
  const parts = childrenOf(readElement(expectTag(octets, derTag.octetString).content));
  const [data, algorithm, signature] = parts;
  const signed = { algorithm, data: expectTag(data, derTag.sequence).raw, signature: readBits(signature) };
  if (isMadeBy(link.issuer, signed)) return { data: expectTag(data, derTag.sequence), responder: undefined };
  const responder = childrenOf(tagged(parts, 0))
    .slice(0, maxResponders)
    .map(certificateOf)
    .find((certificate) => isMadeBy(certificate, signed));
  if (responder === undefined)
    throw new RangeError("it is not signed by the issuer or by a certificate that comes along");
  assertDelegated(responder, link.issuer, now);
  const isVouchedFor = factsOf(responder).extensions.has(oid.noCheck);
  return { data: expectTag(data, derTag.sequence), responder: isVouchedFor ? undefined : responder };
}

function certificateOf({ raw }: Element): X509Certificate {
  try {
    return new X509Certificate(raw);
  } catch (cause) {
    throw new RangeError("it holds what is not a certificate", { cause });
  }
}

/** RFC 6960, 4.2.2.2: the issuer itself has named the responder. */
function assertDelegated(responder: X509Certificate, issuer: X509Certificate, now: number): void {
  if (!isIssuedBy(responder, issuer)) throw new RangeError("it is signed by somebody whom the issuer has not named");
  if (!purposesOf(responder).includes(purpose.ocspSigning))
    throw new RangeError("it is signed with a certificate that is not for OCSP");
  if (now < responder.validFromDate.getTime() || now > responder.validToDate.getTime())
    throw new RangeError("it is signed with a certificate that is not valid now");
}

/** Whether a CertID names the certificate; the responder has chosen the hash. */
function isAbout(id: Element | undefined, { certificate, issuer }: Link): boolean {
  const [algorithm, name, key, serial] = childrenOf(id);
  const hash = nameHashes[readOid(childrenOf(algorithm)[0])];
  if (hash === undefined || name === undefined || key === undefined) return false;
  const [hashedName, hashedKey] = namesOf(issuer, hash);
  const isSame = serial?.content.equals(factsOf(certificate).serial) ?? false;
  return isSame && hashedName.equals(name.content) && hashedKey.equals(key.content);
}

/** The hashes of an issuer's name and of its key. */
function namesOf(issuer: X509Certificate, hash: string): [name: Buffer, key: Buffer] {
  const { subject, publicKey } = factsOf(issuer);
  const digest = (bytes: Buffer): Buffer => createHash(hash).update(bytes).digest();
  return [digest(sequence(subject)), digest(publicKey)];
}

/** SingleResponse (RFC 6960, 4.2.1). */
function stateOf(parts: readonly Element[], { now, signedAt }: Moment): State {
  const [, status, from, ...rest] = parts;
  const until = assertCurrent(from, tagged(rest, 0), now);
  const extensions = tagged(rest, 1);
  assertNoCritical(extensions);
  if (status?.tag === contextValue(0)) return { kind: "good", until };
  if (status?.tag !== context(1)) throw new RangeError("the server does not know the certificate");
  const fields = childrenOf(status);
  const invalidity = extensionsOf(extensions).get(oid.invalidityDate)?.value;
  if (isBefore(signedAt, invalidity && readTime(invalidity))) return { kind: "good", until };
  return { kind: "revoked", until, at: readTime(fields[0]), reason: reasonOf(tagged(fields, 0)) };
}

function assertNoCritical(list: Element | undefined): void {
  const found = childrenOf(list)
    .map(extensionHead)
    .find(({ critical }) => critical);
  if (found !== undefined) throw new RangeError(`it has the unknown critical extension ${found.id}`);
}
