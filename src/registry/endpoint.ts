import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { CodedError } from "../errors.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Addresses that hand out credentials of the machine or of its cloud account: link-local ranges, where most metadata services
 * are, and those that live outside of them.
 */
const forbidden = [
  "169.254.0.0/16",
  "fe80::/10",
  // AWS: metadata, EKS Pod Identity, names and time; the prefix is Amazon's for such services.
  "fd00:ec2::/32",
  // Google Cloud
  "fd20:ce::/64",
  // Oracle Cloud, over IPv6 and as Oracle Cloud Classic
  "fd00:c1::a9fe:a9fe/128",
  "192.0.0.192/32",
  // Azure's wire server
  "168.63.129.16/32",
  // Alibaba Cloud
  "100.100.100.200/32",
  // Scaleway
  "fd00:42::42/128",
].map((range) => ipaddr.parseCIDR(range));

/** Names of the same services: a proxy, which looks names up itself, would be asked for them. */
const forbiddenNames = new Set([
  "metadata.google.internal",
  "metadata.goog",
  "metadata.azure.internal",
  "metadata.tencentyun.com",
  "metadata.platformequinix.com",
  "instance-data",
  "instance-data.ec2.internal",
]);

/**
 * The metadata services' own addresses. Which prefix a network translates IPv4 under cannot be known, so these are refused at
 * the end of any IPv6 address, where almost every translator has them.
 */
const services = new Set(["169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16"]);

interface Embedding {
  readonly prefix: [ipaddr.IPv6, number];
  /** Where the four bytes stand; one for each length that the prefix may have. */
  readonly places: readonly (readonly number[])[];
  /** What the bytes are combined with. */
  readonly mask?: number;
}

const v6 = (prefix: string): [ipaddr.IPv6, number] => ipaddr.IPv6.parseCIDR(prefix);
const lastFour = [12, 13, 14, 15];

/** Ways to write an IPv4 address in an IPv6 one. */
const embeddings: readonly Embedding[] = [
  // IPv4-compatible and IPv4-mapped (RFC 4291), IPv4-translated (SIIT, RFC 2765)
  { prefix: v6("::/96"), places: [lastFour] },
  { prefix: v6("::ffff:0:0/96"), places: [lastFour] },
  { prefix: v6("::ffff:0:0:0/96"), places: [lastFour] },
  // NAT64 (RFC 6052), and its prefix for local use (RFC 8215), of which a network takes a part
  { prefix: v6("64:ff9b::/96"), places: [lastFour] },
  { prefix: v6("64:ff9b:1::/48"), places: [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], lastFour] },
  // 6to4 (RFC 3056)
  { prefix: v6("2002::/16"), places: [[2, 3, 4, 5]] },
  // Teredo (RFC 4380): its server, and the client, whose bits are inverted
  { prefix: v6("2001::/32"), places: [[4, 5, 6, 7]] },
  { prefix: v6("2001::/32"), places: [lastFour], mask: 0xff },
];

/** Whether `address`, an IP literal, must never be connected to, in whatever form it is written. */
export function isForbiddenAddress(address: string): boolean {
  const parsed = ipaddr.parse(address);
  return isForbidden(parsed) || (parsed instanceof ipaddr.IPv6 && embedded(parsed).some(isForbidden));
}

function isForbidden(address: Address): boolean {
  return forbidden.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
}

/** Every IPv4 address that a translator or tunnel would make of it. */
function embedded(address: ipaddr.IPv6): ipaddr.IPv4[] {
  const bytes = address.toByteArray();
  const take = (places: readonly number[], mask = 0): ipaddr.IPv4 =>
    new ipaddr.IPv4(places.map((place) => bytes[place]! ^ mask));
  const last = take(lastFour);
  return [
    ...embeddings.flatMap(({ prefix, places, mask }) =>
      address.match(prefix) ? places.map((four) => take(four, mask)) : [],
    ),
    ...(isIsatap(bytes) || services.has(last.toString()) ? [last] : []),
  ];
}

/** RFC 5214: any prefix, and this in the interface identifier, before the IPv4 address. */
function isIsatap(bytes: readonly number[]): boolean {
  return (bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
}

/** Refuses URLs that name a forbidden address; other names are judged when they are looked up. @throws EndpointRefused */
export function assertEndpoint(url: URL, role: string): void {
  const host = url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (forbiddenNames.has(host) || (isIP(host) !== 0 && isForbiddenAddress(host)))
    throw refused(`${role} ${url.host}`, host);
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
