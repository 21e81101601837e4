import { describe, expect, it } from "vitest";
import { registryTls } from "../registry/dispatcher.ts";
import { testCa } from "../testing/registry/registry.ts";
import { secureContextOf } from "./secure-context.ts";

const instead = { ...registryTls, code: "InvalidSpec", withSystemRoots: false } as const;

describe.each([registryTls, instead])("material under $code", (purpose) => {
  it("is one context, or none where nothing is given", () => {
    expect(secureContextOf({}, purpose)).toBeUndefined();
    expect(secureContextOf({ ca: testCa() }, purpose)).toBeDefined();
  });

  // OpenSSL would pass over it, and trust others than those who are meant.
  it.each([
    ["no PEM", "hello"],
    ["an empty text", ""],
    ["a key in place of a certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
    ["a broken certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"],
  ])("that holds no authority is refused: %s", (_, ca) => {
    expect(() => secureContextOf({ ca }, purpose)).toThrow(expect.objectContaining({ code: purpose.code }));
  });

  it("that is half a client certificate is refused", () => {
    expect(() => secureContextOf({ cert: "x" }, purpose)).toThrow(/needs both tls\.crt and tls\.key/);
  });
});
