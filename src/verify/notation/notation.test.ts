import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { encode, Tagged } from "cborg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits, verifyLimits } from "../../config.ts";
import type { CodedError } from "../../errors.ts";
import { openLayout } from "../../registry/layout.ts";
import {
  codeSigning,
  derInteger,
  ecKeys,
  makeCertificate,
  type TestCertificate,
} from "../../testing/signatures/certificates.ts";
import {
  coseLayer,
  jwsLayer,
  type NotationOptions,
  notationType,
} from "../../testing/signatures/notation-signatures.ts";
import { type PolicyOptions, policyWith } from "../../testing/signatures/notation-policy.ts";
import { SignedArtifact, type TestLayer } from "../../testing/signatures/signed-artifact.ts";
import { notationPolicy } from "../policy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { NotationPolicy, Verification } from "../verifier.ts";

const { signal } = new AbortController();
const hour = 3_600_000;
const root = makeCertificate({ subject: { C: "US", ST: "WA", O: "Notary", CN: "root" }, ca: true });
const signer = makeCertificate({ issuer: root, purposes: [codeSigning] });
const own = makeCertificate({ purposes: [codeSigning] });
const scheme = "io.cncf.notary.signingScheme";
const byAuthority = {
  [scheme]: "notary.x509.signingAuthority",
  "io.cncf.notary.signingTime": undefined,
  crit: [scheme, "io.cncf.notary.authenticSigningTime"],
};

const policyOf = (options: PolicyOptions = {}): NotationPolicy => policyWith({ trusted: [root, own], ...options });

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

const attach = async (...layers: TestLayer[]): Promise<void> => await artifact.refer(notationType, layers);
const verify = async (statement: PolicyOptions = {}, clock = Date.now): Promise<Verification> =>
  await signatureVerifier(verifyLimits, clock).verify({
    repository: artifact.repository,
    root: artifact.root,
    policy: policyOf(statement),
    signal,
  });

async function refusal(statement: PolicyOptions = {}, clock = Date.now): Promise<string> {
  const error: unknown = await verify(statement, clock).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "VerificationFailed" });
  return (error as CodedError).message;
}

describe("artifacts signed by notation itself", () => {
  const fixture = (name: string): URL => new URL(`../../testing/fixtures/${name}`, import.meta.url);
  // The certificate is valid for one day.
  const then = (): number => Date.parse("2026-11-21T12:00:00Z");
  const trust = (certificate: Buffer) => {
    const document = {
      version: "1.0",
      trustPolicies: [
        {
          name: "all",
          registryScopes: ["*"],
          signatureVerification: { level: "strict" },
          trustStores: ["ca:x"],
          trustedIdentities: ["x509.subject: C=US, ST=WA, O=Notary"],
        },
      ],
    };
    return notationPolicy(
      new Map([
        ["trustpolicy.json", Buffer.from(JSON.stringify(document))],
        ["x.crt", certificate],
      ]),
      "Secret notation",
    );
  };

  it.each(["notation-jws", "notation-cose"])(
    "%s is good by its certificate while that is valid, and by no other",
    async (name) => {
      const repository = openLayout(fixture(`oci/signed/${name}`).pathname, defaultLimits);
      const request = {
        repository,
        root: await repository.resolve("1.0.0", signal),
        policy: trust(readFileSync(fixture("notation.crt"))),
        signal,
      };
      const verifier = signatureVerifier(verifyLimits, then);
      expect(await verifier.verify(request)).toMatchObject({
        provider: "notation",
        result: "verified",
        identity: expect.stringContaining("CN=fx.example.test"),
        warnings: [],
        validUntil: Date.parse("2026-11-22T03:37:01Z"),
      });
      await expect(
        verifier.verify({ ...request, policy: trust(Buffer.from(own.certificate.toString())) }),
      ).rejects.toMatchObject({ code: "VerificationFailed" });
      await expect(signatureVerifier(verifyLimits, () => then() + 24 * hour).verify(request)).rejects.toMatchObject({
        code: "VerificationFailed",
        message: expect.stringContaining("not now"),
      });
    },
  );

  it("are verified anew when the certificate has expired", async () => {
    const repository = openLayout(fixture("oci/signed/notation-jws").pathname, defaultLimits);
    const request = {
      repository,
      root: await repository.resolve("1.0.0", signal),
      policy: trust(readFileSync(fixture("notation.crt"))),
      signal,
    };
    let now = then();
    const verifier = signatureVerifier(verifyLimits, () => now);
    await verifier.verify(request);
    now += 24 * hour;
    await expect(verifier.verify(request)).rejects.toMatchObject({ code: "VerificationFailed" });
  });
});

describe.each([
  ["JWS", jwsLayer],
  ["COSE", coseLayer],
])("a %s envelope", (_, layer) => {
  const make = (
    options: NotationOptions = {},
    signers: readonly [TestCertificate, ...TestCertificate[]] = [signer, root],
  ): TestLayer => layer(artifact.root, signers, options);

  it("is accepted by the root or by the signing certificate", async () => {
    await attach(make());
    expect(await verify()).toMatchObject({ result: "verified", identity: "C=US, ST=WA, O=Notary, CN=signer" });
    expect(await verify({ trusted: [signer] })).toMatchObject({ result: "verified" });
    expect(await refusal({ trusted: [own] })).toContain("not by any of the trusted certificates");
  });

  it("is accepted where another is not", async () => {
    await attach(make({ key: ecKeys().privateKey }));
    await attach(make({}, [own]));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each([
    ["ES384", () => ecKeys("P-384")],
    ["ES512", () => ecKeys("P-521")],
    ["PS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["PS384", () => generateKeyPairSync("rsa", { modulusLength: 3072 })],
  ])("is accepted with %s", async (algorithm, keys) => {
    await attach(make({ algorithm }, [makeCertificate({ issuer: root, keys: keys() }), root]));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each<[string, NotationOptions, RegExp]>([
    ["another key", { key: ecKeys().privateKey }, /does not fit its content/],
    ["no algorithm", { headers: { alg: "none" } }, /algorithm/],
    [
      "an algorithm that does not go with the key",
      { algorithm: "ES384", headers: { alg: "ES384" } },
      /does not go with the key/,
    ],
    ["a symmetric algorithm", { headers: { alg: "HS256" } }, /algorithm/],
    ["another content type", { headers: { cty: "text/plain" } }, /is of type text\/plain/],
    ["no content type", { headers: { cty: undefined } }, /states no content type/],
    [
      "another artifact",
      { payload: { targetArtifact: { digest: `sha256:${"0".repeat(64)}` } } },
      /signature of sha256:0000/,
    ],
    ["no artifact", { payload: {} }, /signature of nothing/],
    ["a payload that is a list", { payload: [] }, /not a JSON object/],
    ["no scheme", { headers: { [scheme]: undefined } }, /signing scheme is nothing/],
    ["an unknown scheme", { headers: { [scheme]: "notary.x509.other" } }, /signing scheme is notary\.x509\.other/],
    ["no time", { headers: { "io.cncf.notary.signingTime": undefined } }, /no signing time/],
    [
      "a time of the other scheme",
      { headers: { "io.cncf.notary.authenticSigningTime": new Date() } },
      /does not go with its scheme/,
    ],
    ["a time that is none", { headers: { "io.cncf.notary.signingTime": "yesterday" } }, /is not a time/],
    ["a scheme that is not critical", { headers: { crit: [] } }, /not marked critical/],
    ["no critical headers", { headers: { crit: undefined } }, /not marked critical/],
    [
      "an expiry that is not critical",
      { headers: { "io.cncf.notary.expiry": new Date(Date.now() + hour) } },
      /expiry is not marked critical/,
    ],
    [
      "an expiry before the signing time",
      { headers: { "io.cncf.notary.expiry": new Date(0), crit: [scheme, "io.cncf.notary.expiry"] } },
      /expires before/,
    ],
    [
      "an unknown critical header",
      { headers: { crit: [scheme, "io.example.policy"], "io.example.policy": "x" } },
      /io\.example\.policy as critical/,
    ],
    [
      "a verification plugin",
      { headers: { crit: [scheme, "io.cncf.notary.verificationPlugin"], "io.cncf.notary.verificationPlugin": "x" } },
      /plugin/,
    ],
    ["an optional verification plugin", { headers: { "io.cncf.notary.verificationPlugin": "x" } }, /plugin/],
    ["no chain", { chain: [] }, /no certificate chain/],
    ["a chain of what is not a certificate", { chain: [Buffer.from("hello")] }, /what is not a certificate/],
    ["a chain without its root", { chain: [signer.certificate.raw] }, /does not end with a self-signed root/],
    [
      "a chain in the wrong order",
      { chain: [root.certificate.raw, signer.certificate.raw] },
      /does not go with|does not fit|self-signed/,
    ],
    [
      "a chain that goes on",
      { chain: [signer.certificate.raw, root.certificate.raw, root.certificate.raw] },
      /goes on after/,
    ],
    [
      "a chain that is too long",
      { chain: Array.from({ length: 11 }, () => signer.certificate.raw) },
      /11 certificates/,
    ],
  ])("is refused with %s, even by audit", async (_, options, message) => {
    await attach(make(options));
    expect(await refusal()).toMatch(message);
    expect(await refusal({ level: "audit" })).toMatch(message);
  });

  it("is refused for another size or media type of the artifact", async () => {
    const { mediaType, digest, size } = artifact.root;
    await attach(make({ payload: { targetArtifact: { mediaType, digest, size: size + 1 } } }));
    await attach(make({ payload: { targetArtifact: { mediaType: "application/json", digest, size } } }));
    expect(await refusal()).toMatch(/of 2 found none is good.*not as application/);
  });

  it("expires, which only strict enforces", async () => {
    const expiry = new Date(Date.now() - 1000);
    await attach(
      make({
        signingTime: new Date(Date.now() - hour),
        headers: { "io.cncf.notary.expiry": expiry, crit: [scheme, "io.cncf.notary.expiry"] },
      }),
    );
    expect(await refusal()).toContain("it expired on");
    expect(await verify({ level: "permissive" })).toMatchObject({
      result: "verified",
      warnings: [expect.stringMatching(/^expiry: it expired on/)],
    });
    expect(await verify({ override: { expiry: "log" } })).toMatchObject({ result: "verified" });
    expect(await verify({}, () => expiry.getTime() - 1000)).toMatchObject({
      result: "verified",
      warnings: [],
      validUntil: Math.floor(expiry.getTime() / 1) - (_ === "COSE" ? expiry.getTime() % 1000 : 0),
    });
  });

  it("of a signing authority is judged at the time the authority states", async () => {
    const past = makeCertificate({
      issuer: root,
      notBefore: new Date(Date.now() - 20 * hour),
      notAfter: new Date(Date.now() - 10 * hour),
    });
    const at = (hoursAgo: number): NotationOptions => ({
      headers: { ...byAuthority, "io.cncf.notary.authenticSigningTime": new Date(Date.now() - hoursAgo * hour) },
    });
    await attach(make(at(15), [past, root]));
    expect(await verify({ stores: ["signingAuthority:x"] })).toMatchObject({ result: "verified" });
    expect(await refusal({ stores: ["ca:x"] })).toContain("needs a trust store of type signingAuthority");
    await artifact.remove();
    artifact = await SignedArtifact.temporary();
    await attach(make(at(5), [past, root]));
    expect(await refusal({ stores: ["signingAuthority:x"] })).toContain("was not valid when it signed");
  });
});

describe("malformed envelopes", () => {
  const jws = (bytes: string): TestLayer => ({ mediaType: "application/jose+json", bytes });
  const cose = (value: unknown): TestLayer => ({
    mediaType: "application/cose",
    bytes: Buffer.isBuffer(value) ? value : encode(value),
  });
  it.each<[string, TestLayer]>([
    ["no JSON", jws("{")],
    ["null", jws("null")],
    ["no parts", jws("{}")],
    ["no base64", jws('{"payload":"!","protected":"!","signature":"!"}')],
    ["no signature", jws('{"payload":"AA","protected":"AA","signature":""}')],
    ["a header that is not JSON", jws('{"payload":"AA","protected":"AA","signature":"AA"}')],
    ["compact form", jws("AA.AA.AA")],
    ["not CBOR", cose(Buffer.from([0xff, 0xff]))],
    ["no bytes", cose(Buffer.alloc(0))],
    ["no tag", cose([new Uint8Array(), new Map(), new Uint8Array(), new Uint8Array()])],
    ["another tag", cose(new Tagged(98, [new Uint8Array(), new Map(), new Uint8Array(), new Uint8Array()]))],
    ["three parts", cose(new Tagged(18, [new Uint8Array(), new Map(), new Uint8Array()]))],
    ["a detached payload", cose(new Tagged(18, [new Uint8Array(), new Map(), null, new Uint8Array()]))],
    ["a header that is not a map", cose(new Tagged(18, [encode([]), new Map(), new Uint8Array(), new Uint8Array()]))],
    ["deep nesting", cose(Buffer.alloc(500_000, 0x81))],
  ])("are refused: %s", async (_, layer) => {
    await attach(layer);
    expect(await refusal()).toContain("of 1 found none is good");
  });

  it("are refused: a header twice", async () => {
    // {1: -7, 1: -7}
    await attach(
      cose(new Tagged(18, [Buffer.from("a201260126", "hex"), new Map(), new Uint8Array(), new Uint8Array()])),
    );
    expect(await refusal()).toContain("not CBOR");
  });

  it("are refused: another type, no layer, two layers", async () => {
    await attach({ mediaType: "text/plain", bytes: "x" });
    await attach();
    await attach(jws("{}"), jws("{ }"));
    const message = await refusal();
    expect(message).toContain("of type text/plain");
    expect(message).toContain("0 layers");
    expect(message).toContain("2 layers");
  });
});

describe("certificates", () => {
  const ca = (options: Parameters<typeof makeCertificate>[0] = {}): TestCertificate =>
    makeCertificate({ subject: { C: "US", ST: "WA", O: "Notary", CN: "issuing" }, issuer: root, ca: true, ...options });
  const leaf = (options: Parameters<typeof makeCertificate>[0] = {}): TestCertificate =>
    makeCertificate({ issuer: root, ...options });
  const notCa = makeCertificate({ issuer: root });
  const [plain, shallow] = [ca(), ca({ pathLength: 0 })];
  const below = ca({ issuer: shallow, subject: { CN: "below" } });

  it.each<[string, readonly [TestCertificate, ...TestCertificate[]]]>([
    ["an authority between", [leaf({ issuer: plain }), plain, root]],
    ["an authority that allows none below it", [leaf({ issuer: shallow }), shallow, root]],
    ["code signing as its purpose", [leaf({ purposes: [codeSigning] }), root]],
    ["content commitment as well", [leaf({ usage: ["digitalSignature", "contentCommitment"] }), root]],
    ["itself as its root", [own]],
  ])("are accepted with %s", async (_, chain) => {
    await attach(jwsLayer(artifact.root, chain));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each<[string, readonly [TestCertificate, ...TestCertificate[]], RegExp]>([
    ["an authority as signer", [ca({ usage: ["digitalSignature"] }), root], /is a certificate authority/],
    ["an issuer that is not an authority", [leaf({ issuer: notCa }), notCa, root], /is not a certificate authority/],
    [
      "an issuer that may not issue",
      [leaf({ issuer: ca({ usage: ["digitalSignature"] }) }), ca(), root],
      /was not issued by/,
    ],
    [
      "an authority without keyCertSign",
      ((issuing) => [leaf({ issuer: issuing }), issuing, root] as const)(ca({ usage: ["digitalSignature"] })),
      /lacks keyCertSign/,
    ],
    ["more authorities than allowed", [leaf({ issuer: below }), below, shallow, root], /allows 0 authorities/],
    ["no key usage", [leaf({ usage: [] }), root], /has no key usage/],
    ["a key usage that is not critical", [leaf({ usageCritical: false }), root], /not marked critical/],
    ["another key usage", [leaf({ usage: ["keyEncipherment"] }), root], /lacks digitalSignature/],
    ["a second key usage", [leaf({ usage: ["digitalSignature", "keyEncipherment"] }), root], /keyEncipherment besides/],
    [
      "server authentication as purpose",
      [leaf({ purposes: [codeSigning, "1.3.6.1.5.5.7.3.1"] }), root],
      /server authentication/,
    ],
    ["timestamping as purpose", [leaf({ purposes: ["1.3.6.1.5.5.7.3.8"] }), root], /timestamping/],
    [
      "an issuer of the same name",
      [leaf({ issuer: makeCertificate({ subject: root.subject, ca: true }) }), root],
      /was not issued by/,
    ],
  ])("are refused with %s", async (_, chain, message) => {
    await attach(jwsLayer(artifact.root, chain));
    expect(await refusal({ level: "audit" })).toMatch(message);
  });

  it("are judged now, unless the policy only logs it", async () => {
    const expired = leaf({ notBefore: new Date(Date.now() - 5 * hour), notAfter: new Date(Date.now() - hour) });
    await attach(jwsLayer(artifact.root, [expired, root], { signingTime: new Date(Date.now() - 2 * hour) }));
    // The signer's own word about the time counts for nothing.
    expect(await refusal()).toContain("not now");
    expect(await verify({ level: "permissive" })).toMatchObject({
      result: "verified",
      warnings: [expect.stringContaining("authenticTimestamp")],
    });
    expect(await refusal({ stores: ["ca:x", "tsa:y"] })).toContain("no timestamp countersignature");
  });

  it("need no timestamp while they are valid, where the policy says so", async () => {
    await attach(jwsLayer(artifact.root, [signer, root]));
    expect(await verify({ stores: ["ca:x", "tsa:y"], verifyTimestamp: "afterCertExpiry" })).toMatchObject({
      result: "verified",
    });
    expect(await refusal({ stores: ["ca:x", "tsa:y"], verifyTimestamp: "always" })).toContain(
      "no timestamp countersignature",
    );
  });

  it("with odd extensions are refused, not believed", async () => {
    const odd = leaf({ extensions: [{ oid: "1.2.3", value: derInteger(1) }], usage: [] });
    await attach(jwsLayer(artifact.root, [odd, root]));
    expect(await refusal()).toContain("has no key usage");
  });
});

describe("trusted identities", () => {
  beforeEach(async () => await attach(jwsLayer(artifact.root, [signer, root])));

  it.each([
    "x509.subject: C=US, ST=WA, O=Notary",
    "x509.subject: CN=signer,O=Notary,S=WA,C=US",
    "x509.subject:C=US,ST=W\\41,O=Not\\ary",
    "*",
  ])("accept by %s", async (identity) => {
    expect(await verify({ identities: [identity] })).toMatchObject({ result: "verified" });
  });

  it("refuse everybody else", async () => {
    expect(
      await refusal({
        identities: ["x509.subject: C=US, ST=WA, O=Other", "x509.subject: C=US, ST=WA, O=Notary, CN=sign"],
      }),
    ).toContain("none of the trusted identities");
  });

  it("only log it under audit, and the artifact is then used but not verified", async () => {
    expect(await verify({ level: "audit", identities: ["x509.subject: C=US, ST=WA, O=Other"] })).toMatchObject({
      result: "ignored",
      warnings: [expect.stringContaining("authenticity")],
    });
    expect(await verify({ level: "audit", trusted: [own] })).toMatchObject({ result: "ignored" });
    await attach(jwsLayer(artifact.root, [own]));
    expect(await verify({ level: "audit", trusted: [own] })).toMatchObject({ result: "verified" });
  });
});

describe("trust policies", () => {
  it("skip verification only where they say so, and never call it verified", async () => {
    expect(await verify({ level: "skip" })).toMatchObject({ result: "ignored", signature: undefined });
    for (const level of ["strict", "permissive", "audit"])
      expect(await refusal({ level })).toContain("no signature was found");
  });

  it("are for the repositories they name", async () => {
    await attach(jwsLayer(artifact.root, [signer, root]));
    const policy = policyOf({ scopes: ["r.example/app"] });
    const at = async (name: string): Promise<Verification> =>
      await signatureVerifier(verifyLimits).verify({
        repository: { ...artifact.repository, name },
        root: artifact.root,
        policy,
        signal,
      });
    expect(await at("r.example/app")).toMatchObject({ result: "verified" });
    await expect(at("r.example/app/other")).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("no statement for r.example/app/other"),
    });
  });
});
