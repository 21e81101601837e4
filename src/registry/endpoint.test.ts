import { lookup } from "node:dns/promises";
import { expect, test } from "vitest";
import { codeOf } from "../errors.ts";
import { assertEndpoint, guardedLookup, isForbiddenAddress } from "./endpoint.ts";

const services = ["169.254.169.254", "169.254.170.2", "169.254.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192"];
const hex = (v4: string, mask = 0): string =>
  v4
    .split(".")
    .map((byte) => (Number(byte) ^ mask).toString(16).padStart(2, "0"))
    .join("");
/** Four bytes as two groups of an IPv6 address. */
const groups = (bytes: string): string => `${bytes.slice(0, 4)}:${bytes.slice(4)}`;
/** RFC 6052, section 2.2: the byte of zeros after the first 64 bits. */
const local48 = (b: string): string => `64:ff9b:1:${b.slice(0, 4)}:00${b.slice(4, 6)}:${b.slice(6)}00::`;
const local56 = (b: string): string => `64:ff9b:1:ab${b.slice(0, 2)}:00${b.slice(2, 4)}:${b.slice(4)}::`;
const local64 = (b: string): string => `64:ff9b:1:abcd:00${b.slice(0, 2)}:${b.slice(2, 6)}:${b.slice(6)}00:0`;

const forms: readonly [string, (v4: string) => string][] = [
  ["itself", (v4) => v4],
  ["IPv4-mapped", (v4) => `::ffff:${v4}`],
  ["IPv4-compatible", (v4) => `::${v4}`],
  ["IPv4-translated", (v4) => `::ffff:0:${v4}`],
  ["NAT64", (v4) => `64:ff9b::${v4}`],
  ["NAT64 for local use, /48", (v4) => local48(hex(v4))],
  ["NAT64 for local use, /56", (v4) => local56(hex(v4))],
  ["NAT64 for local use, /64", (v4) => local64(hex(v4))],
  ["NAT64 for local use, /96", (v4) => `64:ff9b:1:1:2:3:${groups(hex(v4))}`],
  ["6to4", (v4) => `2002:${groups(hex(v4))}::1`],
  ["a Teredo server", (v4) => `2001:0:${groups(hex(v4))}:0:0:1:1`],
  ["a Teredo client", (v4) => `2001:0:8.8.8.8:0:0:${groups(hex(v4, 0xff))}`.replace("8.8.8.8", "808:808")],
  ["ISATAP", (v4) => `2001:db8:1:2:0:5efe:${groups(hex(v4))}`],
  ["ISATAP of a global address", (v4) => `2001:db8:1:2:200:5efe:${groups(hex(v4))}`],
];

test.each(forms)("link-local and metadata addresses are refused as %s, and others are not", (_, form) => {
  for (const v4 of services) expect([v4, form(v4), isForbiddenAddress(form(v4))]).toEqual([v4, form(v4), true]);
  for (const v4 of ["10.0.0.1", "93.184.216.34", "169.253.255.255", "100.100.100.201"])
    expect([form(v4), isForbiddenAddress(form(v4))]).toEqual([form(v4), false]);
});

test.each([
  "fe80::1",
  "fe80::1%eth0",
  "fe80::a9fe:a9fe",
  "febf::1",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd00:ec2:0:1::253",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
  // The prefix under which a network translates is its own choice.
  "2001:db8:64::a9fe:a9fe",
  "fd12:3456::100.100.100.200",
])("%s is refused", (address) => {
  expect(isForbiddenAddress(address)).toBe(true);
});

test.each([
  "127.0.0.1",
  "10.0.0.1",
  "169.253.0.1",
  "169.255.0.1",
  "::1",
  "::",
  "fec0::1",
  "fd00:ec3::254",
  "fd20:ce:0:1::254",
  "fd00:42::43",
  "2001:db8::1",
  "2001:db8::a9fe:1",
  "2600:1f18::5efe:a9fe",
])("%s is allowed", (address) => {
  expect(isForbiddenAddress(address)).toBe(false);
});

test.each([
  "http://169.254.169.254/",
  "http://0xA9FEA9FE/",
  "http://2852039166/",
  "http://[::ffff:169.254.169.254]:80/",
  "http://[fe80::1]/",
  "http://[64:ff9b::169.254.169.254]/",
  "http://[2002:a9fe:a9fe::]/",
  "http://169.254.169.254./",
  "http://metadata.google.internal/",
  "http://METADATA.google.internal./computeMetadata/v1/",
])("%s is refused as a URL", (url) => {
  let thrown: unknown;
  try {
    assertEndpoint(new URL(url), "the host");
  } catch (error) {
    thrown = error;
  }
  expect(codeOf(thrown)).toBe("EndpointRefused");
});

const look = async (name: string, options: { all: boolean }): Promise<unknown> =>
  await new Promise((done, fail) => {
    guardedLookup(name, options, (error, address, family) =>
      error ? fail(error) : done(options.all ? address : { address, family }),
    );
  });

test("names are judged by what they lead to", async () => {
  await expect(look("169.254.169.254", { all: true })).rejects.toMatchObject({ code: "EndpointRefused" });
  await expect(look("169.254.169.254", { all: false })).rejects.toMatchObject({ code: "EndpointRefused" });
  await expect(look("no-such-name.invalid", { all: true })).rejects.toMatchObject({ syscall: "getaddrinfo" });
  expect(await look("localhost", { all: true })).toEqual(await lookup("localhost", { all: true }));
  expect(await look("127.0.0.1", { all: false })).toEqual({ address: "127.0.0.1", family: 4 });
});
