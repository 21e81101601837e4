import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { CodedError } from "../errors.ts";

/**
 * Addresses that hand out credentials of the machine or of its cloud account: link-local ranges, and the metadata
 * services that live outside of them (AWS over IPv6, Azure's wire server, Alibaba, Oracle).
 */
const forbidden = [
  "169.254.0.0/16",
  "fe80::/10",
  "fd00:ec2::254/128",
  "168.63.129.16/32",
  "100.100.100.200/32",
  "192.0.0.192/32",
].map((range) => ipaddr.parseCIDR(range));

/** Whether `address`, an IP literal, must never be connected to. */
export function isForbiddenAddress(address: string): boolean {
  const plain = unwrap(ipaddr.parse(address));
  return forbidden.some(([range, bits]) => range.kind() === plain.kind() && plain.match(range, bits));
}

/** The IPv4 address inside an IPv4-mapped (RFC 4291) or NAT64 (RFC 6052) one. */
function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return address.range() === "rfc6052" ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}

/** Refuses URLs that name a forbidden address; names are judged when they are looked up. @throws EndpointRefused */
export function assertEndpoint(url: URL, role: string): void {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && isForbiddenAddress(host)) throw refused(`${role} ${url.host}`, host);
}

/** The system's look-up, refusing names that lead to a forbidden address. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, "");
    const bad = addresses.find(({ address }) => isForbiddenAddress(address));
    if (bad) return callback(refused(hostname, bad.address), "");
    if (options.all) return callback(null, addresses);
    // Node never calls back without an error and with an empty list.
    const [first] = addresses as [LookupAddress];
    callback(null, first.address, first.family);
  });
};

function refused(what: string, address: string): CodedError {
  return new CodedError(
    "EndpointRefused",
    `${what} is refused: ${address} is a link-local or metadata address, never a registry`,
  );
}
