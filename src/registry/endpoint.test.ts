import { lookup } from "node:dns/promises";
import { expect, test } from "vitest";
import { codeOf } from "../errors.ts";
import { assertEndpoint, guardedLookup, isForbiddenAddress } from "./endpoint.ts";

test.each([
  "169.254.169.254",
  "169.254.0.1",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "fd00:ec2::254",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
  "168.63.129.16",
  "100.100.100.200",
  "192.0.0.192",
])("%s is refused", (address) => {
  expect(isForbiddenAddress(address)).toBe(true);
});

test.each([
  "127.0.0.1",
  "10.0.0.1",
  "169.253.0.1",
  "::1",
  "fec0::1",
  "fd00:ec2::253",
  "::ffff:10.0.0.1",
  "2001:db8::1",
])("%s is allowed", (address) => {
  expect(isForbiddenAddress(address)).toBe(false);
});

test.each([
  "http://169.254.169.254/",
  "http://0xA9FEA9FE/",
  "http://2852039166/",
  "http://[::ffff:169.254.169.254]:80/",
  "http://[fe80::1]/",
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
