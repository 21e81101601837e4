import type { X509Certificate } from "node:crypto";
import { type Extensions, factsOf, readDer } from "../certificate-facts.ts";
import { childrenOf, context, contextValue, type Element, readOid } from "../der.ts";

const oid = { authorityInfo: "1.3.6.1.5.5.7.1.1", ocsp: "1.3.6.1.5.5.7.48.1", distributionPoints: "2.5.29.31" };
/** A uniformResourceIdentifier among the forms that a GeneralName may have (RFC 5280, 4.2.1.6). */
const uri = contextValue(6);
const maxServers = 4;

/** Where the same list is, by any of the addresses. */
export type DistributionPoint = readonly string[];

/** Where to ask whether a certificate was revoked. */
export interface Servers {
  readonly ocsp: readonly string[];
  /** Each has to be asked: a list may be only a part of all. */
  readonly lists: readonly DistributionPoint[];
}

/** @throws VerificationFailed */
export function serversOf(certificate: X509Certificate): Servers {
  const { extensions } = factsOf(certificate);
  return readDer(() => ({ ocsp: ocspOf(extensions), lists: distributionPoints(extensions, oid.distributionPoints) }));
}

/** RFC 5280, 4.2.2.1 */
function ocspOf(extensions: Extensions): string[] {
  return childrenOf(extensions.get(oid.authorityInfo)?.value)
    .map(childrenOf)
    .filter(([method]) => readOid(method) === oid.ocsp)
    .flatMap(([, location]) => (location?.tag === uri ? [location.content.toString("latin1")] : []))
    .slice(0, maxServers);
}

/**
 * RFC 5280, 4.2.1.13; the extension `freshestCRL` has the same form. Points without an address are left out.
 *
 * @throws RangeError for no DER, and for more points than are asked
 */
export function distributionPoints(extensions: Extensions, id: string): DistributionPoint[] {
  const points = childrenOf(extensions.get(id)?.value).map((point) => {
    const name = childrenOf(point).find(({ tag }) => tag === context(0));
    return addressesOf(childrenOf(name)[0]).slice(0, maxServers);
  });
  const addressed = points.filter((addresses) => addresses.length > 0);
  if (addressed.length > maxServers) throw new RangeError(`more than ${maxServers} distribution points`);
  return addressed;
}

/** The addresses of a DistributionPointName, of which `[0]` lists full names. */
export function addressesOf(name: Element | undefined): string[] {
  if (name?.tag !== context(0)) return [];
  return childrenOf(name).flatMap(({ tag, content }) => (tag === uri ? [content.toString("latin1")] : []));
}
