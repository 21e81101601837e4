import { Readable } from "node:stream";
import { encode, Tagged } from "cborg";
import { array, assert, asyncProperty, nat, record, uint8Array } from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLimits } from "../config.ts";
import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { codeSigning, der, ecKeys, makeCertificate } from "../testing/signatures/certificates.ts";
import {
  bundleLayer,
  bundleType,
  dsseBundle,
  legacyLayer,
  signWith,
  simpleSigning,
  statement,
} from "../testing/signatures/cosign-signatures.ts";
import { coseLayer, jwsLayer, notationType } from "../testing/signatures/notation-signatures.ts";
import { SignedArtifact, type TestLayer } from "../testing/signatures/signed-artifact.ts";
import { legacyTag } from "./cosign/legacy.ts";
import { cosignKeyPolicy, notationPolicy } from "./policy.ts";
import { signatureVerifier } from "./signature-verifier.ts";
import type { Verification, VerifyPolicy } from "./verifier.ts";

const keys = ecKeys();
const make = signWith(keys.privateKey);
const byKey = cosignKeyPolicy(
  new Map([["cosign.pub", Buffer.from(keys.publicKey.export({ type: "spki", format: "pem" }))]]),
  "Secret keys",
);
const signer = makeCertificate({ purposes: [codeSigning] });
const byCertificate = notationPolicy(
  new Map([
    [
      "trustpolicy.json",
      Buffer.from(
        JSON.stringify({
          version: "1.0",
          trustPolicies: [
            {
              name: "all",
              registryScopes: ["*"],
              signatureVerification: { level: "strict" },
              trustStores: ["ca:x"],
              trustedIdentities: ["*"],
            },
          ],
        }),
      ),
    ],
    ["x.crt", Buffer.from(signer.certificate.toString())],
  ]),
  "Secret notation",
);

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

async function verify(policy: VerifyPolicy, changes: Partial<Repository> = {}): Promise<Verification> {
  const repository = { ...artifact.repository, ...changes };
  const { signal } = new AbortController();
  return await signatureVerifier(verifyLimits).verify({ repository, root: artifact.root, policy, signal });
}

const lists = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const objects = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x81), Buffer.from([0x00])]);

/** Values where a stranger's JSON should have something else. */
const oddities: readonly unknown[] = [null, 0, -1, 1e308, "", "x", true, [], [null], {}, { a: null }, { length: 1 }];

describe("cosign: what is malformed never hides a good signature", () => {
  const payload = (): Buffer => simpleSigning(artifact.root.digest);
  const goodLegacy = (): TestLayer => legacyLayer(payload(), make(payload()));
  const goodBundle = (): TestLayer => dsseBundle(statement(artifact.root.digest), make);

  const legacy = (annotations: Readonly<Record<string, string>>): TestLayer =>
    legacyLayer(payload(), "AAAA", annotations);
  const certificate = (): string => signer.certificate.toString();

  it.each<[string, () => TestLayer]>([
    ["a payload of deep lists", () => legacyLayer(Buffer.from(lists(100_000)), "AAAA")],
    ["a payload of deep objects", () => legacyLayer(Buffer.from(objects(100_000)), "AAAA")],
    ["a type that nests", () => legacyLayer(Buffer.from(`{"critical":{"type":${lists(5000)}}}`), "AAAA")],
    [
      "a log entry that nests",
      () =>
        legacy({
          "dev.sigstore.cosign/certificate": certificate(),
          "dev.sigstore.cosign/bundle": `{"Payload":${objects(50_000)}}`,
        }),
    ],
    [
      "a log entry that is a text",
      () =>
        legacy({
          "dev.sigstore.cosign/certificate": certificate(),
          "dev.sigstore.cosign/bundle": '{"Payload":{"body":{"toString":1}}}',
        }),
    ],
    [
      "a timestamp that nests",
      () =>
        legacy({
          "dev.sigstore.cosign/certificate": certificate(),
          "dev.sigstore.cosign/rfc3161timestamp": lists(50_000),
        }),
    ],
    ["half a certificate", () => legacy({ "dev.sigstore.cosign/certificate": certificate().slice(0, 400) })],
  ])("%s under the tag", async (_, bad) => {
    await artifact.tag(legacyTag(artifact.root.digest)!, [bad()]);
    await expect(verify(byKey)).rejects.toMatchObject({ code: "VerificationFailed" });
    await artifact.tag(legacyTag(artifact.root.digest)!, [bad(), goodLegacy()]);
    expect(await verify(byKey)).toMatchObject({ result: "verified" });
  });

  it.each<[string, () => TestLayer]>([
    ["deep lists", () => ({ mediaType: bundleType, bytes: lists(100_000) })],
    [
      "a material that nests",
      () => ({ mediaType: bundleType, bytes: `{"mediaType":"${bundleType}","verificationMaterial":${lists(5000)}}` }),
    ],
    ["a statement that nests", () => dsseBundle(Buffer.from(objects(50_000)), make)],
    ["a predicate type that nests", () => dsseBundle(Buffer.from(`{"_type":${lists(5000)}}`), make)],
    [
      "many log entries",
      () => bundleLayer({ verificationMaterial: { tlogEntries: Array.from({ length: 100_000 }, () => ({})) } }),
    ],
    ...oddities.flatMap((value): [string, () => TestLayer][] => [
      [`${JSON.stringify(value)} as envelope`, () => bundleLayer({ dsseEnvelope: value, verificationMaterial: {} })],
      [
        `${JSON.stringify(value)} as material`,
        () => dsseBundle(statement(artifact.root.digest), signWith(ecKeys().privateKey), { material: value }),
      ],
      [
        `${JSON.stringify(value)} as signatures`,
        () => dsseBundle(statement(artifact.root.digest), make, { signatures: () => value }),
      ],
      [
        `${JSON.stringify(value)} as subject`,
        () => dsseBundle(statement(artifact.root.digest, { subject: value }), make),
      ],
    ]),
  ])("%s in a bundle", async (_, bad) => {
    await artifact.refer(bundleType, [bad()]);
    await expect(verify(byKey)).rejects.toMatchObject({ code: "VerificationFailed" });
    await artifact.refer(bundleType, [goodBundle()]);
    expect(await verify(byKey)).toMatchObject({ result: "verified" });
  });

  it.each<[string, unknown]>([
    ["an error without a code", new RangeError("Maximum call stack size exceeded")],
    ["a list that is malformed", new CodedError("ManifestInvalid", "the index under the tag")],
    ["a list that is too long", new CodedError("TooManyManifests", "more than 1000 referrers")],
    ["an answer that is none", new CodedError("RegistryResponseInvalid", "502 of a proxy")],
  ])("%s in place of the referrers hides no older signature", async (_, error) => {
    await artifact.tag(legacyTag(artifact.root.digest)!, [goodLegacy()]);
    const referrers = async (): Promise<never> => await Promise.reject(error);
    expect(await verify(byKey, { referrers })).toMatchObject({ result: "verified" });
  });

  it("a signature that the registry does not hand out hides no other, and is not a proof that there is none", async () => {
    await artifact.refer(bundleType, [goodBundle()]);
    await artifact.refer(bundleType, [goodBundle(), { mediaType: "text/plain", bytes: "another digest" }]);
    let fetched = 0;
    const fetch: Repository["fetch"] = async (descriptor, signal) => {
      if (fetched++ === 0) throw new CodedError("RegistryUnavailable", "500");
      return await artifact.repository.fetch(descriptor, signal);
    };
    expect(await verify(byKey, { fetch })).toMatchObject({ result: "verified" });
    const broken = async (): Promise<never> => await Promise.reject(new CodedError("RegistryUnavailable", "500"));
    await expect(verify(byKey, { fetch: broken })).rejects.toMatchObject({ code: "RegistryUnavailable" });
  });

  it("reads no more than one budget for all signatures of an artifact", async () => {
    const filler = "x".repeat(700_000);
    for (let at = 0; at < 50; at++)
      await artifact.refer(bundleType, [bundleLayer({ verificationMaterial: `${at} ${filler}` })]);
    let bytes = 0;
    const fetch: Repository["fetch"] = async (descriptor, signal) => {
      bytes += descriptor.size;
      return await artifact.repository.fetch(descriptor, signal);
    };
    await expect(verify(byKey, { fetch })).rejects.toMatchObject({ code: "VerificationFailed" });
    expect(bytes).toBeLessThanOrEqual(verifyLimits.maxTotalBytes);
  });
});

describe("notation: what is malformed never hides a good signature", () => {
  const cose = (bytes: Uint8Array): TestLayer => ({ mediaType: "application/cose", bytes });
  const jws = (fields: unknown): TestLayer => ({
    mediaType: "application/jose+json",
    bytes: typeof fields === "string" ? fields : JSON.stringify(fields),
  });
  const text = (value: string): string => Buffer.from(value).toString("base64url");
  const sign1 = (headers: Map<unknown, unknown>, chain: unknown = [signer.certificate.raw]): TestLayer =>
    cose(encode(new Tagged(18, [encode(headers), new Map([[33, chain]]), Buffer.from("{}"), Buffer.alloc(64)])));
  const deepExtension = {
    oid: "1.2.3",
    value: Array.from({ length: 500 }).reduce<Buffer>((in_) => der(0x30, in_), der(0x05)),
  };

  const candidates: readonly [string, () => TestLayer][] = [
    ["JWS of deep lists", () => jws(lists(100_000))],
    ["JWS with a header that nests", () => jws({ payload: "e30", protected: text(objects(50_000)), signature: "AA" })],
    [
      "JWS with an algorithm that nests",
      () => jws({ payload: "e30", protected: text(`{"alg":${lists(5000)}}`), signature: "AA", header: { x5c: [] } }),
    ],
    [
      "JWS with a certificate cut short",
      () =>
        jwsLayer(artifact.root, [signer], {
          chain: [signer.certificate.raw.subarray(0, -10)],
        }),
    ],
    ["COSE of deep lists", () => cose(nested(200_000))],
    ["COSE of a list without an end", () => cose(Buffer.from([0xd2, 0x9f]))],
    [
      "COSE that announces more than there is",
      () => cose(Buffer.from([0xd2, 0x9b, 0, 0, 0, 0x7f, 255, 255, 255, 255])),
    ],
    [
      "COSE with a number that JSON has not",
      () =>
        sign1(
          new Map<unknown, unknown>([
            [1, 2n ** 63n],
            [3, "x"],
          ]),
        ),
    ],
    [
      "COSE with a scheme that is a map",
      () =>
        sign1(
          new Map<unknown, unknown>([
            [1, -7],
            [3, "x"],
            ["io.cncf.notary.signingScheme", new Map([[1n, 2n ** 60n]])],
          ]),
        ),
    ],
    [
      "a certificate with a deep extension",
      () => jwsLayer(artifact.root, [makeCertificate({ extensions: [deepExtension] })]),
    ],
    [
      "a certificate whose constraints are garbled",
      () =>
        jwsLayer(artifact.root, [
          makeCertificate({ extensions: [{ oid: "2.5.29.19", value: Buffer.from([0x30, 0x84]) }] }),
        ]),
    ],
  ];

  it.each(candidates)("%s", async (_, bad) => {
    await artifact.refer(notationType, [bad()]);
    await expect(verify(byCertificate)).rejects.toMatchObject({ code: "VerificationFailed" });
    await artifact.refer(notationType, [jwsLayer(artifact.root, [signer])]);
    expect(await verify(byCertificate)).toMatchObject({ result: "verified" });
  });

  it("whatever bytes are changed", async () => {
    const originals = [jwsLayer(artifact.root, [signer]), coseLayer(artifact.root, [signer])];
    const change = record({ layer: nat(1), at: nat(), bytes: uint8Array({ minLength: 1, maxLength: 4 }) });
    await assert(
      asyncProperty(array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bodies = originals.map(({ bytes }) => Buffer.from(bytes));
        for (const { layer, at, bytes } of changes) bodies[layer]!.set(bytes, at % (bodies[layer]!.length - 4));
        const all = [...bodies, Buffer.from(originals[0]!.bytes)];
        const outcome = await Promise.all(all.map(async (bytes, at) => await only({ ...originals[at % 2]!, bytes })));
        expect(outcome.filter((code) => code !== "verified" && code !== "VerificationFailed")).toEqual([]);
        expect(outcome.at(-1)).toBe("verified");
      }),
      { numRuns: 60 },
    );
  });

  /** What becomes of an artifact with this one signature. */
  async function only(layer: TestLayer): Promise<string> {
    const descriptor = { mediaType: layer.mediaType, digest: artifact.root.digest, size: layer.bytes.length };
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: artifact.root.mediaType,
        config: descriptor,
        layers: [descriptor],
      }),
    );
    const referrer = { ...artifact.root, artifactType: notationType, size: manifest.length };
    return await verify(byCertificate, {
      referrers: async () => await Promise.resolve([referrer]),
      fetch: async ({ mediaType }) =>
        await Promise.resolve(Readable.from([mediaType === layer.mediaType ? Buffer.from(layer.bytes) : manifest])),
    }).then(
      ({ result }) => result,
      (error: unknown) => (error instanceof CodedError ? error.code : String(error)),
    );
  }
});
