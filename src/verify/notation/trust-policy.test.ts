import { describe, expect, it } from "vitest";
import { parseDistinguishedName } from "./distinguished-name.ts";
import { parseTrustPolicy, statementFor } from "./trust-policy.ts";

const good = {
  name: "app",
  registryScopes: ["*"],
  signatureVerification: { level: "strict" },
  trustStores: ["ca:certs"],
  trustedIdentities: ["*"],
};
const parse = (document: unknown) =>
  parseTrustPolicy(
    Buffer.from(typeof document === "string" ? document : JSON.stringify(document)),
    "Secret apps/n, key trustpolicy.json",
  );
const policy = (...statements: unknown[]) => parse({ version: "1.0", trustPolicies: statements });

describe("parseTrustPolicy", () => {
  it("knows the levels of the specification", () => {
    const actions = (level: string) => policy({ ...good, signatureVerification: { level } })[0]?.actions;
    expect(actions("strict")).toEqual({
      integrity: "enforce",
      authenticity: "enforce",
      authenticTimestamp: "enforce",
      expiry: "enforce",
      revocation: "enforce",
    });
    expect(actions("permissive")).toEqual({
      integrity: "enforce",
      authenticity: "enforce",
      authenticTimestamp: "log",
      expiry: "log",
      revocation: "log",
    });
    expect(actions("audit")).toEqual({
      integrity: "enforce",
      authenticity: "log",
      authenticTimestamp: "log",
      expiry: "log",
      revocation: "log",
    });
    expect(actions("skip")).toBeUndefined();
  });

  it("applies overrides", () => {
    const [statement] = policy({
      ...good,
      signatureVerification: { level: "permissive", override: { expiry: "enforce", revocation: "skip" } },
    });
    expect(statement?.actions).toMatchObject({
      authenticity: "enforce",
      expiry: "enforce",
      revocation: "skip",
      authenticTimestamp: "log",
    });
    expect(policy({ ...good, signatureVerification: { level: "skip", override: {} } })[0]?.actions).toBeUndefined();
  });

  it("takes a skipped statement with stores, as Flux does", () => {
    expect(policy({ ...good, signatureVerification: { level: "skip" } })[0]).toMatchObject({
      stores: [],
      actions: undefined,
    });
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /not JSON/],
    ["a list", "[]", /not a JSON object/],
    ["another version", { version: "2.0", trustPolicies: [good] }, /version "2\.0"/],
    ["no version", { trustPolicies: [good] }, /version nothing/],
    ["no statement", { version: "1.0", trustPolicies: [] }, /no trustPolicies/],
    ["a statement that is null", { version: "1.0", trustPolicies: [null] }, /\[0\] is not an object/],
  ])("refuses %s", (_, document, message) => {
    expect(() => parse(document)).toThrow(
      expect.objectContaining({ code: "SecretInvalid", message: expect.stringMatching(message) }),
    );
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["no name", { name: "" }, /no name/],
    ["no scopes", { registryScopes: [] }, /no registryScopes/],
    ["a scope beside *", { registryScopes: ["*", "r.example/app"] }, /beside other/],
    ["a pattern as scope", { registryScopes: ["r.example/*"] }, /registry scope/],
    ["a host as scope", { registryScopes: ["r.example"] }, /registry scope/],
    ["no verification", { signatureVerification: undefined }, /signatureVerification/],
    ["no level", { signatureVerification: {} }, /level nothing/],
    ["an unknown level", { signatureVerification: { level: "none" } }, /level "none"/],
    ["a level of the language", { signatureVerification: { level: "constructor" } }, /level "constructor"/],
    [
      "an override of skip",
      { signatureVerification: { level: "skip", override: { expiry: "log" } } },
      /cannot be overridden/,
    ],
    [
      "an override of integrity",
      { signatureVerification: { level: "strict", override: { integrity: "log" } } },
      /integrity/,
    ],
    [
      "skipped authenticity",
      { signatureVerification: { level: "strict", override: { authenticity: "skip" } } },
      /only revocation/,
    ],
    ["an unknown check", { signatureVerification: { level: "strict", override: { luck: "log" } } }, /luck/],
    ["an unknown action", { signatureVerification: { level: "strict", override: { expiry: "ignore" } } }, /ignore/],
    ["an override that is a list", { signatureVerification: { level: "strict", override: ["expiry"] } }, /not a map/],
    ["an unknown timestamp rule", { signatureVerification: { level: "strict", verifyTimestamp: "never" } }, /never/],
    ["no stores", { trustStores: [] }, /no trustStores/],
    ["a store of unknown type", { trustStores: ["keys:x"] }, /keys:x/],
    ["a store without a name", { trustStores: ["ca"] }, /"ca"/],
    ["no identities", { trustedIdentities: [] }, /no trustedIdentities/],
    ["an identity beside *", { trustedIdentities: ["*", "x509.subject: C=US, ST=WA, O=x"] }, /beside other/],
    ["an identity without O", { trustedIdentities: ["x509.subject: C=US, ST=WA"] }, /no O/],
    ["an identity of another kind", { trustedIdentities: ["did:example:1"] }, /did:example:1/],
    [
      "identities that overlap",
      { trustedIdentities: ["x509.subject: C=US, ST=WA, O=x", "x509.subject: C=US, ST=WA, O=x, CN=y"] },
      /includes another/,
    ],
  ])("refuses a statement with %s", (_, change, message) => {
    expect(() => policy({ ...good, ...change })).toThrow(
      expect.objectContaining({ code: "SecretInvalid", message: expect.stringMatching(message) }),
    );
  });

  it("refuses two statements for the same", () => {
    expect(() => policy(good, { ...good, registryScopes: ["r.example/app"] })).toThrow(/two statements named/);
    expect(() => policy(good, { ...good, name: "other" })).toThrow(/in two statements/);
  });
});

describe("statementFor", () => {
  it("prefers the statement that names the repository", () => {
    const document = policy(good, { ...good, name: "own", registryScopes: ["r.example:5000/team/app"] });
    expect(statementFor(document, "r.example:5000/team/app").name).toBe("own");
    expect(statementFor(document, "r.example:5000/team").name).toBe("app");
  });

  it("finds none where none applies", () => {
    expect(() => statementFor(policy({ ...good, registryScopes: ["r.example/app"] }), "r.example/other")).toThrow(
      expect.objectContaining({ code: "VerificationFailed" }),
    );
  });
});

describe("parseDistinguishedName", () => {
  it.each([
    ["C=US, ST=WA, O=Notary", { C: "US", ST: "WA", O: "Notary" }],
    ["c=US;s=WA+o=A\\, B", { C: "US", ST: "WA", O: "A, B" }],
    ["CN=caf\\C3\\A9,C=FR,ST=x,O=\\\\", { CN: "café", C: "FR", ST: "x", O: "\\" }],
    ["C=a=b,ST=x,O=y", { C: "a=b", ST: "x", O: "y" }],
  ])("reads %s", (text, expected) => {
    expect(Object.fromEntries(parseDistinguishedName(text) as ReadonlyMap<string, string>)).toEqual(expected);
  });

  it.each([
    "",
    "C=US",
    "C=US,ST=WA,O=",
    "C=US,ST=WA,O=x,O=y",
    "C=US,ST=WA,O=x\\",
    'C=US,ST=WA,O="x"',
    "C=US,ST=WA,O=#0401",
    "US,WA,x",
    "=US,ST=WA,O=x",
  ])("refuses %s", (text) => {
    expect(typeof parseDistinguishedName(text)).toBe("string");
  });
});
