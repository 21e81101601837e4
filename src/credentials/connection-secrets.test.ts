import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { readProxySecret, readTlsSecret } from "./connection-secrets.ts";
import type { Secret, SecretSource } from "./secret-data.ts";

const { signal } = new AbortController();
const file = (name: string): string =>
  readFileSync(new URL(`../testing/fixtures/tls/${name}`, import.meta.url), "utf8");
const [ca, cert, key] = [file("ca.crt"), file("client.crt"), file("client.key")];

function only(values: Record<string, string>, type = "Opaque"): SecretSource {
  const secret: Secret = {
    type,
    data: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString("base64")]),
    ),
  };
  return {
    namespace: "apps",
    secrets: async (_, name) => (name === "tls" ? secret : await Promise.reject(new CodedError("NotFound", name))),
    serviceAccounts: async () => await Promise.reject(new CodedError("NotFound", "")),
  };
}

describe("readTlsSecret", () => {
  it.each([
    ["a CA", { "ca.crt": ca }, { ca }],
    ["several CAs", { "ca.crt": `${ca}\n# another\n${cert}` }, { ca: `${ca}\n# another\n${cert}` }],
    ["a client certificate", { "tls.crt": cert, "tls.key": key }, { cert, key }],
    ["a certificate with its chain", { "tls.crt": cert + ca, "tls.key": key }, { cert: cert + ca, key }],
    ["all", { "ca.crt": ca, "tls.crt": cert, "tls.key": key }, { ca, cert, key }],
    ["the older names", { caFile: ca, certFile: cert, keyFile: key }, { ca, cert, key }],
    ["an empty ca.crt beside a pair", { "ca.crt": "", "tls.crt": cert, "tls.key": key }, { cert, key }],
  ])("reads %s", async (_, values, expected) => {
    const trimmed = Object.fromEntries(
      Object.entries(expected).map(([name, value]) => [name, value.replace(/\n+$/, "")]),
    );
    expect(await readTlsSecret(only(values), "tls", signal)).toEqual(trimmed);
    expect(await readTlsSecret(only(values, "kubernetes.io/tls"), "tls", signal)).toEqual(trimmed);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["nothing", {}, /neither ca\.crt/],
    ["a certificate without its key", { "tls.crt": cert }, /no tls\.key/],
    ["a key without its certificate", { "ca.crt": ca, "tls.key": key }, /no tls\.crt/],
    ["the key of another certificate", { "tls.crt": cert, "tls.key": file("server.key") }, /does not belong/],
    ["an expired certificate", { "tls.crt": file("expired.crt"), "tls.key": file("expired.key") }, /expired on 20/],
    ["a key that is none", { "tls.crt": cert, "tls.key": "hunter2" }, /not an unencrypted private key/],
    ["a CA that is not PEM", { "ca.crt": "hunter2" }, /ca\.crt holds no certificate/],
    [
      "a CA of damaged PEM",
      { "ca.crt": ca.replace(/M[A-Za-z0-9+/]{20}/, "") },
      /ca\.crt holds a certificate \(number 1\)/,
    ],
    ["a private key as CA", { "ca.crt": key }, /ca\.crt holds no certificate/],
  ])("refuses %s", async (_, values, message) => {
    const error = await readTlsSecret(only(values), "tls", signal).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "SecretInvalid", message: expect.stringMatching(message) });
    expect((error as Error).message).toContain("apps/tls");
    expect((error as Error).message).not.toContain("hunter2");
  });

  it("says which Secret is missing", async () => {
    await expect(readTlsSecret(only({}), "absent", signal)).rejects.toMatchObject({
      code: "SecretNotFound",
      message: expect.stringContaining("certSecretRef"),
    });
  });
});

describe("readProxySecret", () => {
  it.each([
    [{ address: "http://proxy.example:3128" }, { address: "http://proxy.example:3128" }],
    [
      { address: "https://proxy.example\n", username: "u", password: "p w\n" },
      { address: "https://proxy.example", username: "u", password: "p w" },
    ],
    [
      { address: "http://proxy.example", username: "u" },
      { address: "http://proxy.example", username: "u" },
    ],
  ])("reads %j", async (values, expected) => {
    expect(await readProxySecret(only(values), "tls", signal)).toEqual(expected);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{}, /no address/],
    [{ address: "" }, /no address/],
    [{ address: "proxy.example:3128" }, /not an http/],
    [{ address: "socks5://u:hunter2@proxy.example" }, /SOCKS/],
    [{ address: "ftp://hunter2@proxy.example" }, /not an http/],
    [{ address: `http://${"x".repeat(3000)}` }, /not an http/],
    [{ address: "http://proxy.example", password: "hunter2" }, /no username/],
  ])("refuses %j", async (values, message) => {
    const error = await readProxySecret(only(values), "tls", signal).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "SecretInvalid", message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain("hunter2");
  });
});
