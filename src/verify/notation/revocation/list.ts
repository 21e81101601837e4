import { isAuthority, maySignLists } from "../certificate.ts";
import { type Extensions, extensionsOf, factsOf } from "../certificate-facts.ts";
import { childrenOf, contextValue, derTag, type Element, expectTag, readBits, readElement } from "../der.ts";
import { isMadeBy } from "../signature-algorithm.ts";
import { addressesOf, type DistributionPoint } from "./servers.ts";
import { assertCurrent, isTime, type Link, type Moment, tagged } from "./state.ts";

/** Extensions of lists and of their entries (RFC 5280, 5.2 and 5.3). */
export const listOid = {
  number: "2.5.29.20",
  reason: "2.5.29.21",
  invalidityDate: "2.5.29.24",
  deltaIndicator: "2.5.29.27",
  scope: "2.5.29.28",
  freshest: "2.5.29.46",
} as const;

/** What an IssuingDistributionPoint may say, by number. */
const only = { users: 1, authorities: 2, indirect: 4, attributes: 5 };

/** A list of revoked certificates (CRL, RFC 5280, 5.1) that its issuer has signed and that is current. */
export interface RevocationList {
  /** What the entries are in, one after the other. */
  readonly entries: Buffer;
  readonly extensions: Extensions;
  readonly until: number;
}

/**
 * Proves a list: it is the issuer's and current, and made for certificates like this one at this point.
 *
 * @throws RangeError with why it does not count
 */
export function readList(
  body: Buffer,
  link: Link,
  { now, point }: Pick<Moment, "now"> & { readonly point: DistributionPoint },
): RevocationList {
  const [name, from, ...rest] = provenParts(body, link);
  if (!name?.content.equals(factsOf(link.issuer).subject)) throw new RangeError("it is of another issuer");
  const until = assertCurrent(from, isTime(rest[0]) ? rest[0] : undefined, now);
  const extensions = extensionsOf(tagged(rest, 0));
  assertNoUnknown(extensions, [listOid.deltaIndicator, listOid.scope]);
  assertScope(childrenOf(extensions.get(listOid.scope)?.value), point, isAuthority(link.certificate));
  const listed = rest.find(({ tag }) => tag === derTag.sequence);
  return { entries: listed?.content ?? Buffer.alloc(0), extensions, until };
}

/** What the issuer has signed, from its name on. */
function provenParts(body: Buffer, { issuer }: Link): Element[] {
  const [tbs, algorithm, signature] = childrenOf(expectTag(readElement(body), derTag.sequence));
  const data = expectTag(tbs, derTag.sequence);
  const parts = childrenOf(data);
  const [inner, ...rest] = parts[0]?.tag === derTag.integer ? parts.slice(1) : parts;
  const isSame = inner !== undefined && algorithm !== undefined && inner.raw.equals(algorithm.raw);
  if (!isSame || !isMadeBy(issuer, { algorithm, data: data.raw, signature: readBits(signature) }))
    throw new RangeError("it is not signed by the certificate's issuer");
  if (!maySignLists(issuer)) throw new RangeError("its issuer may not sign lists (cRLSign)");
  return rest;
}

/** @throws RangeError for a critical extension besides these */
export function assertNoUnknown(extensions: Extensions, known: readonly string[]): void {
  const unknown = [...extensions].find(([id, { critical }]) => critical && !known.includes(id));
  if (unknown !== undefined) throw new RangeError(`it has the unknown critical extension ${unknown[0]}`);
}

/** IssuingDistributionPoint (RFC 5280, 5.2.5): a list for others says nothing, and says it with a good signature. */
function assertScope(scope: readonly Element[], point: DistributionPoint, ofAuthority: boolean): void {
  const says = (number: number): boolean =>
    scope.some(({ tag, content }) => tag === contextValue(number) && content[0] !== 0);
  const ofOthers = says(only.attributes) || says(ofAuthority ? only.users : only.authorities);
  if (ofOthers) throw new RangeError("it is a list of another kind of certificates");
  if (says(only.indirect)) throw new RangeError("it lists certificates of several issuers, which is not supported");
  const addresses = addressesOf(tagged(scope, 0));
  if (addresses.length > 0 && !addresses.some((address) => point.includes(address)))
    throw new RangeError("it is the list of another distribution point");
}

/** That `delta` adds to `base` (RFC 5280, 5.2.4). @throws RangeError where it does not */
export function assertDelta(delta: RevocationList, base: RevocationList): void {
  const [own, of, since] = [numberOf(delta, "number"), numberOf(base, "number"), numberOf(delta, "deltaIndicator")];
  if (own <= of) throw new RangeError(`the delta list ${own} is not newer than the list ${of}`);
  if (since > of) throw new RangeError(`the delta list ${own} is for the list ${since} or a later one, not for ${of}`);
  const scopes = [delta, base].map(({ extensions }) => extensions.get(listOid.scope)?.value?.raw ?? Buffer.alloc(0));
  if (scopes[0]?.equals(scopes[1] ?? Buffer.alloc(0)) !== true)
    throw new RangeError("the delta list is of other certificates than the list");
}

function numberOf({ extensions }: RevocationList, which: "number" | "deltaIndicator"): bigint {
  const { content } = expectTag(extensions.get(listOid[which])?.value, derTag.integer);
  if (content.length === 0 || content.length > 21 || (content[0] ?? 0) > 0x7f)
    throw new RangeError("a list has a number that is none");
  return BigInt(`0x${content.toString("hex")}`);
}
