import { createHash, X509Certificate } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { registryDefaults, verifyLimits } from "../../config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import { askOutside } from "../../registry/ask.ts";
import {
  codeSigning,
  der,
  derInteger,
  derOid,
  derTime,
  ecKeys,
  makeCertificate,
  sequence,
  type TestCertificate,
  timeStamping,
} from "../../testing/signatures/certificates.ts";
import { coseLayer, jwsLayer, notationType } from "../../testing/signatures/notation-signatures.ts";
import { type PolicyOptions, policyWith } from "../../testing/signatures/notation-policy.ts";
import {
  ocspResponse,
  type OcspOptions,
  ocspServers,
  RevocationServer,
} from "../../testing/signatures/revocation-server.ts";
import { SignedArtifact } from "../../testing/signatures/signed-artifact.ts";
import { TestTimestampAuthority, timestampToken, type TokenOptions } from "../../testing/signatures/timestamps.ts";
import { aged } from "../policy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { Verification } from "../verifier.ts";

const { signal } = new AbortController();
const hour = 3_600_000;
const sha256 = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();
const ago = (ms: number): Date => new Date(Math.floor((Date.now() - ms) / 1000) * 1000);

const root = makeCertificate({ subject: { C: "US", ST: "WA", O: "Notary", CN: "root" }, ca: true });
const signer = makeCertificate({ issuer: root, purposes: [codeSigning] });
const expired = makeCertificate({ issuer: root, notBefore: ago(5 * hour), notAfter: ago(hour) });
const authority = new TestTimestampAuthority();
const stamping = { purposes: [timeStamping], purposesCritical: true, notBefore: new Date("2020-01-01T00:00:00Z") };
const stamped: PolicyOptions = { stores: ["ca:certs", "tsa:stamps"], trusted: [root, authority.root] };

let dir: string;
let artifact: SignedArtifact;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-timestamp-"));
  artifact = await SignedArtifact.create(dir);
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function verify(options: PolicyOptions = {}, minAgeMs?: number): Promise<Verification> {
  const policy = policyWith({ ...stamped, ...options });
  return await signatureVerifier(verifyLimits).verify({
    repository: artifact.repository,
    root: artifact.root,
    policy: minAgeMs === undefined ? policy : aged(policy, minAgeMs),
    signal,
  });
}

async function refusal(options: PolicyOptions = {}): Promise<string> {
  const error: unknown = await verify(options).catch((caught: unknown) => caught);
  expect(codeOf(error)).toBe("VerificationFailed");
  return messageOf(error);
}

describe.each([
  ["JWS", jwsLayer],
  ["COSE", coseLayer],
])("the timestamp of a %s envelope", (_, layer) => {
  const attach = async (
    timestamp: ((signature: Buffer) => unknown) | undefined,
    leaf: TestCertificate = signer,
  ): Promise<void> =>
    await artifact.refer(notationType, [layer(artifact.root, [leaf, root], timestamp ? { timestamp } : {})]);
  const token =
    (options: Partial<TokenOptions> = {}) =>
    (signature: Buffer): Buffer =>
      authority.token(sha256(signature), options);

  it("lets an expired certificate be judged at its time", async () => {
    const time = ago(2 * hour);
    await attach(token({ time }), expired);
    expect(await verify()).toMatchObject({ result: "verified", signedAt: time.getTime(), warnings: [] });
    expect(await verify({ verifyTimestamp: "afterCertExpiry" })).toMatchObject({ signedAt: time.getTime() });
    expect(await refusal({ stores: ["ca:certs"] })).toContain("not now");
  });

  it("has to be there where the policy always asks for it", async () => {
    await attach(undefined);
    expect(await refusal()).toContain("no timestamp countersignature");
    expect(await verify({ verifyTimestamp: "afterCertExpiry" })).toMatchObject({ result: "verified" });
    expect(await verify({ override: { authenticTimestamp: "log" } })).toMatchObject({
      result: "verified",
      signedAt: undefined,
      warnings: [expect.stringContaining("authenticTimestamp: it has no timestamp")],
    });
  });

  it("is not looked at where no trust store is for it", async () => {
    await attach(() => Buffer.from("hello"));
    expect(await verify({ stores: ["ca:certs"] })).toMatchObject({ result: "verified", signedAt: undefined });
    expect(await refusal()).toContain("cannot be read");
  });

  it("counts with all that the authority leaves open", async () => {
    const time = ago(2 * hour);
    const accuracy = sequence(derInteger(60), der(0x80, Buffer.from([1])), der(0x81, Buffer.from([1])));
    await attach(token({ time, accuracy }), expired);
    expect(await verify()).toMatchObject({ signedAt: time.getTime() + 60_002 });
  });

  it("is right to the second under the baseline policy", async () => {
    const time = ago(2 * hour);
    await attach(token({ time, policy: "0.4.0.2023.1.1" }));
    expect(await verify()).toMatchObject({ signedAt: time.getTime() + 1000 });
  });

  it("tells the age that verify.minAge asks for", async () => {
    const time = ago(2 * hour);
    await attach(token({ time }));
    const policy: PolicyOptions = { verifyTimestamp: "afterCertExpiry" };
    expect(await verify(policy, hour)).toMatchObject({ result: "verified" });
    await expect(verify(policy, 3 * hour)).rejects.toMatchObject({
      code: "TooYoung",
      details: { until: time.getTime() + 3 * hour },
    });
    await expect(verify({ stores: ["ca:certs"] }, hour)).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("nobody vouches for its time"),
    });
  });

  const otherRoot = makeCertificate({ subject: { CN: "other" }, ca: true });
  const between = makeCertificate({ subject: { CN: "between" }, issuer: authority.root, ca: true });
  const forServers = makeCertificate({
    subject: { CN: "for servers" },
    issuer: authority.root,
    ca: true,
    purposes: ["1.3.6.1.5.5.7.3.1"],
  });
  const by = (options: Parameters<typeof makeCertificate>[0]): TestCertificate =>
    makeCertificate({ subject: { CN: "tsa" }, issuer: authority.root, ...stamping, ...options });

  it("is good by an authority's authority that comes along", async () => {
    await attach(token({ chain: [by({ issuer: between }), between] }));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it("is good by an authority that has expired since", async () => {
    await attach(token({ time: ago(2 * hour), chain: [by({ notAfter: ago(hour) })] }));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each<[string, Partial<TokenOptions>, RegExp]>([
    ["another signature", { imprintAlgorithm: sequence(derOid("2.16.840.1.101.3.4.2.2")) }, /of another signature/],
    ["SHA-1", { imprintAlgorithm: sequence(derOid("1.3.14.3.2.26")) }, /hash that is not sound/],
    ["another version", { version: 2 }, /unknown version/],
    ["a changed content", { changeInfo: (info) => flipped(info, 2) }, /was changed/],
    ["a changed signature", { changeSignature: (signature) => flipped(signature) }, /was changed/],
    ["no signing certificate", { attributes: { "1.2.840.113549.1.9.16.2.47": undefined } }, /by which certificate/],
    [
      "another signing certificate",
      { attributes: { "1.2.840.113549.1.9.16.2.47": sequence(sequence(sequence(der(0x04, Buffer.alloc(32))))) } },
      /lacks the certificate of its signer/,
    ],
    ["no digest", { attributes: { "1.2.840.113549.1.9.4": undefined } }, /was changed/],
    ["another content type", { attributes: { "1.2.840.113549.1.9.3": derOid("1.2.3") } }, /was changed/],
    [
      "a signing time before the authority was",
      { attributes: { "1.2.840.113549.1.9.5": derTime(new Date("2019-01-01T00:00:00Z")) } },
      /when the authority's certificate was not valid/,
    ],
    [
      "an authority that is not trusted",
      { chain: [by({ issuer: otherRoot }), otherRoot] },
      /not by any of the trusted/,
    ],
    [
      "an authority of the same name",
      { chain: [by({ issuer: { ...authority.root, privateKey: ecKeys().privateKey } })] },
      /not by any of the trusted/,
    ],
    ["an authority that had expired", { chain: [by({ notAfter: ago(hour) })] }, /not valid then/],
    ["an authority that was not yet valid", { time: new Date("2019-01-01T00:00:00Z") }, /not valid then/],
    ["a certificate for code signing", { chain: [by({ purposes: [codeSigning] })] }, /not for timestamps alone/],
    [
      "a certificate for that as well",
      { chain: [by({ purposes: [timeStamping, codeSigning] })] },
      /not for timestamps alone/,
    ],
    ["a certificate for anything", { chain: [by({ purposes: [] })] }, /not for timestamps alone/],
    ["a purpose that is not critical", { chain: [by({ purposesCritical: false })] }, /not marked critical/],
    ["an authority as signer", { chain: [by({ ca: true, usage: ["digitalSignature"] })] }, /must not make timestamps/],
    [
      "an authority for servers",
      { chain: [by({ issuer: forServers }), forServers] },
      /may not issue certificates for timestamps/,
    ],
    ["a curve that is not sound", { chain: [by({ keys: ecKeys("secp256k1") })] }, /key that is not sound/],
  ])("is refused with %s", async (_, options, message) => {
    await attach(token({ time: ago(60_000), ...options }));
    expect(await refusal()).toMatch(message);
    expect(await verify({ level: "permissive" })).toMatchObject({
      result: "verified",
      signedAt: undefined,
      warnings: [expect.stringMatching(message)],
    });
  });

  it("is refused for what it is a timestamp of", async () => {
    await attach(() => authority.token(sha256(Buffer.from("something else"))));
    expect(await refusal()).toContain("of another signature");
  });

  it("is refused where the signer's certificate was not valid, however inexact it is", async () => {
    await attach(token({ time: ago(30 * 60_000) }), expired);
    await attach(token({ time: ago(6 * hour) }), expired);
    await attach(token({ time: ago(hour + 30_000), accuracy: sequence(derInteger(60)) }), expired);
    expect((await refusal()).match(/was not valid when it was timestamped/g)).toHaveLength(3);
  });

  it("is refused by trust in the signer's authority alone", async () => {
    await attach(token());
    expect(await refusal({ trusted: [root] })).toContain("not by any of the trusted");
    expect(await refusal({ trusted: [root, authority.leaf] })).toContain("not by any of the trusted");
  });

  it.each<[string, (good: Buffer) => unknown]>([
    ["cut off", (good) => good.subarray(0, good.length - 1)],
    ["something after it", (good) => Buffer.concat([good, Buffer.from([5, 0])])],
    ["a response around it", (good) => sequence(sequence(derInteger(0)), good)],
    ["nothing", () => Buffer.from([0x30, 0])],
    ["deep nesting", () => Buffer.alloc(100_000, 0x30)],
  ])("is refused when it is %s", async (_, change) => {
    await attach((signature) => change(token()(signature)));
    expect(await refusal()).toContain("cannot be read");
  });
});

describe.each([
  ["jws", "application/jose+json"],
  ["cose", "application/cose"],
])("what notation itself has signed, and openssl timestamped (%s)", (suffix, mediaType) => {
  const fixture = (name: string): string => new URL(`../../testing/fixtures/${name}`, import.meta.url).pathname;
  /** The certificates have expired long ago. */
  const later = (): number => Date.parse("2030-01-01T00:00:00Z");
  const signedAt = Date.parse("2026-11-30T00:22:10Z");

  async function judge(options: PolicyOptions): Promise<Verification> {
    await cp(fixture("oci/flux/app"), join(dir, "app"), { recursive: true });
    const app = await SignedArtifact.open(join(dir, "app"), "1.0.0");
    await app.refer(notationType, [{ mediaType, bytes: await readFile(fixture(`notation-timestamped.${suffix}`)) }]);
    const certificate = new X509Certificate(await readFile(fixture("notation-timestamped.crt")));
    const policy = policyWith({ ...options, trusted: [{ ...root, certificate }] });
    const { repository } = app;
    return await signatureVerifier(verifyLimits, later).verify({ repository, root: app.root, policy, signal });
  }

  it("is good by its timestamp alone", async () => {
    const { signedAt: found, ...verification } = await judge({ stores: ["ca:x", "tsa:y"] });
    expect(verification).toMatchObject({ result: "verified", warnings: [], validUntil: undefined });
    expect(Math.abs((found ?? 0) - signedAt)).toBeLessThan(10_000);
  });

  it("is refused without it", async () => {
    await expect(judge({ stores: ["ca:x"] })).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("not now"),
    });
  });
});

describe("an authority that names a server", () => {
  let server: RevocationServer;
  beforeEach(async () => void (server = await RevocationServer.start()));
  afterEach(async () => await server.close());

  async function stampWith(answers: OcspOptions | undefined): Promise<void> {
    const extensions = [ocspServers(server.url("ocsp"))];
    const tsa = makeCertificate({ subject: { CN: "tsa" }, issuer: authority.root, ...stamping, extensions });
    if (answers !== undefined) server.answer("ocsp", ocspResponse(tsa, authority.root, answers));
    const timestamp = (signature: Buffer): Buffer => authority.token(sha256(signature), { chain: [tsa] });
    await artifact.refer(notationType, [jwsLayer(artifact.root, [signer, root], { timestamp })]);
  }
  const inquire = async (statement: PolicyOptions = {}): Promise<Verification> =>
    await signatureVerifier(verifyLimits, Date.now, { ask: askOutside(registryDefaults) }).verify({
      repository: artifact.repository,
      root: artifact.root,
      policy: policyWith({ ...stamped, ...statement }),
      signal,
    });

  it("is asked about, and its answer ends what is known", async () => {
    const to = ago(-hour);
    await stampWith({ to });
    expect(await inquire()).toMatchObject({ result: "verified", validUntil: to.getTime() });
  });

  it.each<[string, OcspOptions | undefined, RegExp]>([
    ["was revoked", { status: { at: ago(hour), reason: 1 } }, /CN=tsa was revoked on .* \(keyCompromise\)/],
    ["is not known", undefined, /CN=tsa was revoked is not known.*override authenticTimestamp with "log"/],
  ])("is refused where it %s, whatever is to be done about signers", async (_, answers, message) => {
    await stampWith(answers);
    await expect(inquire({ override: { revocation: "skip" } })).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringMatching(message),
    });
    expect(await inquire({ override: { authenticTimestamp: "log" } })).toMatchObject({
      result: "verified",
      signedAt: undefined,
      warnings: [expect.stringMatching(message)],
    });
  });
});

it("in JWS is base64", async () => {
  const layer = jwsLayer(artifact.root, [signer, root], { timestamp: () => "!" });
  await artifact.refer(notationType, [layer]);
  expect(await refusal()).toContain("not base64");
});

it("does not count beside a signing authority's own time", async () => {
  const scheme = "io.cncf.notary.signingScheme";
  const signedAt = ago(2 * hour);
  const headers = {
    [scheme]: "notary.x509.signingAuthority",
    "io.cncf.notary.signingTime": undefined,
    "io.cncf.notary.authenticSigningTime": signedAt,
    crit: [scheme, "io.cncf.notary.authenticSigningTime"],
  };
  const timestamp = (): Buffer => Buffer.from("hello");
  await artifact.refer(notationType, [jwsLayer(artifact.root, [signer, root], { headers, timestamp })]);
  expect(await verify({ stores: ["signingAuthority:x", "tsa:y"] })).toMatchObject({ signedAt: signedAt.getTime() });
});

it("has many certificates, of which too many are refused", async () => {
  const chain = Array.from({ length: 21 }, () => authority.leaf) as unknown as TokenOptions["chain"];
  const timestamp = (signature: Buffer): Buffer => timestampToken(sha256(signature), { time: ago(60_000), chain });
  await artifact.refer(notationType, [coseLayer(artifact.root, [signer, root], { timestamp })]);
  expect(await refusal()).toContain("too many certificates");
});

/** The same with one byte changed, counted from the end. */
function flipped(bytes: Buffer, fromEnd = 1): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.length - fromEnd;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
