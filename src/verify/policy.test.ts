import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { ecKeys, makeCertificate } from "../testing/signatures/certificates.ts";
import {
  cosignKeyPolicy,
  keylessPolicy,
  notationPolicy,
  type ReadSecretValues,
  readVerifyPolicy,
  type VerifySpec,
} from "./policy.ts";

const pem = (): Buffer => Buffer.from(ecKeys().publicKey.export({ type: "spki", format: "pem" }));
const [first, second] = [pem(), pem()];
const certificate = Buffer.from(makeCertificate().certificate.toString());
const trustPolicy = (level = "strict"): Buffer =>
  Buffer.from(
    JSON.stringify({
      version: "1.0",
      trustPolicies: [
        {
          name: "all",
          registryScopes: ["*"],
          signatureVerification: { level },
          trustStores: ["ca:certs"],
          trustedIdentities: ["*"],
        },
      ],
    }),
  );

const secrets: Readonly<Record<string, Readonly<Record<string, Buffer | string>>>> = {
  keys: { "cosign.pub": first, "older.pub": second, "cosign.key": "not read", README: "" },
  empty: {},
  noKeys: { "cosign.key": first },
  badKey: { "a.pub": first, "b.pub": "hunter2" },
  notation: {
    "trustpolicy.json": trustPolicy(),
    "a.crt": certificate,
    "b.pem": Buffer.concat([certificate, certificate]),
    "other.txt": "hunter2",
  },
  noPolicy: { "a.crt": certificate },
  noCertificates: { "trustpolicy.json": trustPolicy() },
  badCertificate: { "trustpolicy.json": trustPolicy(), "a.crt": "hunter2" },
  root: { "trusted_root.json": "{}" },
};

const read: ReadSecretValues = async (name, field) => {
  const values = secrets[name];
  if (values === undefined) throw new CodedError("SecretNotFound", `${name} of ${field}`);
  return new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]));
};
const policyOf = async (spec: VerifySpec) => await readVerifyPolicy(spec, read);

describe("readVerifyPolicy", () => {
  it("takes every *.pub of the Secret as a key", async () => {
    const policy = await policyOf({ provider: "cosign", secretRef: { name: "keys" } });
    expect(policy).toMatchObject({
      provider: "cosign",
      method: "keys",
      keys: [{ name: "cosign.pub" }, { name: "older.pub" }],
    });
  });

  it("is keyless without a Secret", async () => {
    expect(await policyOf({ provider: "cosign" })).toMatchObject({
      method: "keyless",
      identities: [],
      trustedRoot: undefined,
    });
    const identity = { issuer: "https://issuer", subject: ".*" };
    expect(
      await policyOf({ provider: "cosign", matchOIDCIdentity: [identity], trustedRootSecretRef: { name: "root" } }),
    ).toMatchObject({ identities: [identity], trustedRoot: "{}" });
  });

  it("reads notation's trust policy and every certificate", async () => {
    const policy = await policyOf({ provider: "notation", secretRef: { name: "notation" } });
    expect(policy).toMatchObject({ provider: "notation", trustPolicy: [{ name: "all" }] });
    expect(policy.provider === "notation" && policy.certificates).toHaveLength(3);
  });

  it("reads certificates in DER", () => {
    const { raw } = makeCertificate().certificate;
    expect(
      notationPolicy(
        new Map([
          ["trustpolicy.json", trustPolicy()],
          ["a.crt", raw],
        ]),
        "Secret x",
      ).certificates[0]?.raw,
    ).toEqual(raw);
    const fixture = readFileSync(new URL("../testing/fixtures/notation.crt", import.meta.url));
    expect(
      notationPolicy(
        new Map([
          ["trustpolicy.json", trustPolicy()],
          ["a.crt", fixture],
        ]),
        "Secret x",
      ).certificates,
    ).toHaveLength(1);
  });

  it.each<[VerifySpec, string, string]>([
    [{ provider: "cosign", secretRef: { name: "absent" } }, "SecretNotFound", "verify.secretRef"],
    [{ provider: "cosign", trustedRootSecretRef: { name: "absent" } }, "SecretNotFound", "verify.trustedRootSecretRef"],
    [{ provider: "cosign", trustedRootSecretRef: { name: "empty" } }, "SecretInvalid", "trusted_root.json"],
    [{ provider: "cosign", secretRef: { name: "empty" } }, "SecretInvalid", "no key *.pub"],
    [{ provider: "cosign", secretRef: { name: "noKeys" } }, "SecretInvalid", "no key *.pub"],
    [{ provider: "cosign", secretRef: { name: "badKey" } }, "SecretInvalid", "b.pub"],
    [{ provider: "notation" }, "InvalidSpec", "trustpolicy.json"],
    [{ provider: "notation", secretRef: { name: "noPolicy" } }, "SecretInvalid", "no trustpolicy.json"],
    [{ provider: "notation", secretRef: { name: "noCertificates" } }, "SecretInvalid", "no certificate"],
    [{ provider: "notation", secretRef: { name: "badCertificate" } }, "SecretInvalid", "a.crt"],
    [{ provider: "cosign", matchOIDCIdentity: [{ issuer: "(", subject: ".*" }] }, "InvalidPattern", "issuer"],
    [{ provider: "cosign", matchOIDCIdentity: [{ issuer: ".*", subject: "(?=x)" }] }, "InvalidPattern", "subject"],
    [
      { provider: "cosign", matchOIDCIdentity: [{ issuer: ".*", subject: "x".repeat(2000) }] },
      "InvalidPattern",
      "subject",
    ],
  ])("refuses %j", async (spec, code, message) => {
    const error: unknown = await policyOf(spec).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect((error as Error).message).not.toContain("hunter2");
  });

  it("matches identities in linear time", () => {
    const [rule] = keylessPolicy([{ issuer: "(a+)+b", subject: ".*" }], undefined).identities;
    const started = Date.now();
    expect(rule?.matches("a".repeat(5000), "x")).toBe(false);
    expect(Date.now() - started).toBeLessThan(2000);
  });
});

describe("fingerprints", () => {
  const keys = (...values: Buffer[]) =>
    cosignKeyPolicy(new Map(values.map((value, at) => [`${at}.pub`, value])), "Secret x").fingerprint;

  it("are equal for the same keys, in whatever order and form, and differ for others", () => {
    expect(keys(first, second)).toBe(keys(second, first));
    expect(keys(Buffer.concat([first, second]))).toBe(keys(first, second));
    expect(keys(first)).not.toBe(keys(first, second));
    expect(keys(first)).not.toBe(keys(second));
  });

  it("differ by identities, roots, trust policies and certificates", () => {
    const identity = { issuer: "a", subject: "b" };
    const all = [
      keylessPolicy([], undefined),
      keylessPolicy([], "{}"),
      keylessPolicy([identity], undefined),
      keylessPolicy([{ issuer: "a", subject: "c" }], undefined),
      notationPolicy(
        new Map([
          ["trustpolicy.json", trustPolicy()],
          ["a.crt", certificate],
        ]),
        "Secret x",
      ),
      notationPolicy(
        new Map([
          ["trustpolicy.json", trustPolicy("audit")],
          ["a.crt", certificate],
        ]),
        "Secret x",
      ),
      notationPolicy(
        new Map([
          ["trustpolicy.json", trustPolicy()],
          ["a.crt", makeCertificate().certificate.raw],
        ]),
        "Secret x",
      ),
    ];
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(all.length);
  });
});
