import { createHash, X509Certificate } from "node:crypto";
import { refused } from "../findings.ts";
import { assertTimestampingChain, isIssuedBy } from "./certificate.ts";
import { readDer } from "./certificate-facts.ts";
import {
  childrenOf,
  context,
  contextValue,
  derTag,
  type Element,
  expectTag,
  readElement,
  readNumber,
  readOid,
  readTime,
} from "./der.ts";
import { hashOf, isMadeBy } from "./signature-algorithm.ts";

const signedDataType = "1.2.840.113549.1.7.2";
const timestampType = "1.2.840.113549.1.9.16.1.4";
/** RFC 3628, 5.2: timestamps under this policy are right to the second, also where they do not say so. */
const baselinePolicy = "0.4.0.2023.1.1";
/** Attributes that are signed along (RFC 5652, 11 and RFC 5816). */
const attribute = {
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificate: "1.2.840.113549.1.9.16.2.47",
};
const maxCertificates = 20;
const maxSigners = 5;

type Chain = readonly [X509Certificate, ...X509Certificate[]];

/** When something existed, as an authority says: between the two, in milliseconds since the epoch. */
export interface Timestamp {
  readonly from: number;
  readonly to: number;
  /** Of the authority, its own certificate first. */
  readonly chain: Chain;
}

/** SignedData (RFC 5652, 5.1) with a timestamp (RFC 3161, 2.4.2) in it. */
interface Token {
  readonly content: Buffer;
  readonly certificates: readonly X509Certificate[];
  readonly signers: readonly Element[];
}

/**
 * Checks a timestamp over `message`: that it was made by an authority whose root is trusted, and whose certificates were valid
 * then. Whether one was revoked is not looked at.
 *
 * @param token in DER, as in the header `io.cncf.notary.timestampSignature`
 * @throws VerificationFailed
 */
export function verifyTimestamp(token: Buffer, message: Buffer, trusted: readonly X509Certificate[]): Timestamp {
  return readDer(() => {
    const parsed = parseToken(token);
    const { time, accuracy } = readInfo(parsed.content, message);
    const chain = signedBy(parsed, trusted, time);
    assertTimestampingChain(chain);
    return { from: time - accuracy, to: time + accuracy, chain };
  }, "its timestamp countersignature");
}

function parseToken(bytes: Buffer): Token {
  const [type, wrapped] = childrenOf(expectTag(readElement(bytes), derTag.sequence));
  if (readOid(type) !== signedDataType) throw new RangeError("no SignedData");
  const [version, , encapsulated, ...rest] = childrenOf(childrenOf(expectTag(wrapped, context(0)))[0]);
  const [contentType, content] = childrenOf(encapsulated);
  if (readNumber(version) !== 3 || readOid(contentType) !== timestampType) throw new RangeError("no timestamp");
  const certificates = childrenOf(rest.find(({ tag }) => tag === context(0)));
  const signers = childrenOf(expectTag(rest.at(-1), derTag.set));
  if (certificates.length > maxCertificates || signers.length > maxSigners)
    throw refused("its timestamp countersignature has too many certificates or signers");
  return {
    content: expectTag(childrenOf(expectTag(content, context(0)))[0], derTag.octetString).content,
    certificates: certificates.map(({ raw }) => certificateOf(raw)),
    signers,
  };
}

function certificateOf(bytes: Buffer): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw refused("its timestamp countersignature holds what is not a certificate", cause);
  }
}

/** TSTInfo (RFC 3161, 2.4.2). The nonce is between the signer and the authority. */
function readInfo(content: Buffer, message: Buffer): { time: number; accuracy: number } {
  const [version, policy, imprint, , time, ...rest] = childrenOf(readElement(content));
  if (readNumber(version) !== 1) throw refused("its timestamp countersignature is of an unknown version");
  const [algorithm, digest] = childrenOf(imprint);
  const hash = hashOf(algorithm);
  if (hash === undefined) throw refused("its timestamp countersignature is made with a hash that is not sound");
  if (!createHash(hash).update(message).digest().equals(expectTag(digest, derTag.octetString).content))
    throw refused("its timestamp countersignature is of another signature");
  const stated = accuracyOf(rest.find(({ tag }) => tag === derTag.sequence));
  return { time: readTime(time), accuracy: stated === 0 && readOid(policy) === baselinePolicy ? 1000 : stated };
}

/** In milliseconds, rounded up. */
function accuracyOf(element: Element | undefined): number {
  const parts = childrenOf(element);
  const part = (tag: number): number => {
    const found = parts.find((item) => item.tag === tag);
    return found === undefined ? 0 : readNumber(found);
  };
  return part(derTag.integer) * 1000 + part(contextValue(0)) + Math.ceil(part(contextValue(1)) / 1000);
}

/** The chain of the first signer that is good. @throws VerificationFailed with what is wrong with the last one */
function signedBy(token: Token, trusted: readonly X509Certificate[], time: number): Chain {
  let problem: unknown = refused("its timestamp countersignature is signed by nobody");
  for (const signer of token.signers) {
    try {
      return chainOf(signer, token, { trusted, time });
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

/** SignerInfo (RFC 5652, 5.3) of version 1, whose signer is named by issuer and number. */
function chainOf(
  signer: Element,
  token: Token,
  { trusted, time }: { readonly trusted: readonly X509Certificate[]; readonly time: number },
): Chain {
  const [version, , digest, signedPart, algorithm, signature] = childrenOf(signer);
  if (readNumber(version) !== 1) throw refused("its timestamp countersignature names its signer in an unknown way");
  const signed = expectTag(signedPart, context(0));
  const attributes = attributesOf(signed);
  const certificate = signingCertificate(token, attributes.get(attribute.signingCertificate));
  // RFC 5652, 5.4: what is signed is a SET, though it stands there under another tag.
  const data = Buffer.concat([Buffer.from([derTag.set]), signed.raw.subarray(1)]);
  const made = { algorithm, digest, data, signature: expectTag(signature, derTag.octetString).content };
  if (!isAbout(attributes, token, digest) || !isMadeBy(certificate, made))
    throw refused("its timestamp countersignature does not fit its content, which was changed");
  const chain = trustedChain(certificate, [...token.certificates, ...trusted], { trusted, time });
  const signingTime = attributes.get(attribute.signingTime);
  if (signingTime !== undefined && !chain.every((link) => isValidAt(link, readTime(signingTime))))
    throw refused("its timestamp countersignature was made when the authority's certificate was not valid");
  return chain;
}

type Attributes = ReadonlyMap<string, Element | undefined>;

/** Whether the signed attributes are those of the token's content. */
function isAbout(attributes: Attributes, { content }: Token, digest: Element | undefined): boolean {
  const hash = hashOf(digest);
  if (hash === undefined || readOid(attributes.get(attribute.contentType)) !== timestampType) return false;
  return attributes.get(attribute.messageDigest)?.content.equals(createHash(hash).update(content).digest()) ?? false;
}

/** The one value of each attribute. */
function attributesOf(set: Element): Attributes {
  return new Map(
    childrenOf(set).map((item) => {
      const [type, values] = childrenOf(item);
      return [readOid(type), childrenOf(values)[0]];
    }),
  );
}

/** RFC 5816: the certificate that the signer means, by its hash; SHA-256 where none is named. */
function signingCertificate({ certificates }: Token, value: Element | undefined): X509Certificate {
  if (value === undefined) throw refused("its timestamp countersignature does not say by which certificate it is made");
  const [first] = childrenOf(childrenOf(value)[0]);
  const parts = childrenOf(first);
  const algorithm = parts[0]?.tag === derTag.sequence ? parts[0] : undefined;
  const wanted = expectTag(algorithm === undefined ? parts[0] : parts[1], derTag.octetString).content;
  const hash = algorithm === undefined ? "sha256" : hashOf(algorithm);
  if (hash === undefined) throw refused("its timestamp countersignature is made with a hash that is not sound");
  const found = certificates.find(({ raw }) => createHash(hash).update(raw).digest().equals(wanted));
  if (found !== undefined) return found;
  throw refused("its timestamp countersignature lacks the certificate of its signer");
}

/** The shortest way from a certificate to a trusted root, by certificates that were valid at the time. Each is visited once. */
function trustedChain(
  leaf: X509Certificate,
  known: readonly X509Certificate[],
  { trusted, time }: { readonly trusted: readonly X509Certificate[]; readonly time: number },
): Chain {
  const seen = new Set([leaf.fingerprint256]);
  const ways: Chain[] = [[leaf]];
  for (const way of ways) {
    const top = way.at(-1) ?? leaf;
    if (!isValidAt(top, time)) continue;
    if (trusted.some(({ raw }) => raw.equals(top.raw)) && isIssuedBy(top, top)) return way;
    for (const issuer of known) {
      if (seen.has(issuer.fingerprint256) || !isIssuedBy(top, issuer)) continue;
      seen.add(issuer.fingerprint256);
      ways.push([...way, issuer]);
    }
  }
  const name = leaf.subject.replaceAll("\n", ", ").slice(0, 300);
  throw refused(
    `its timestamp countersignature is by ${name}, which was not valid then, or is not by any of the trusted certificates`,
  );
}

function isValidAt({ validFromDate, validToDate }: X509Certificate, time: number): boolean {
  return time >= validFromDate.getTime() && time <= validToDate.getTime();
}
