import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits, verifyLimits } from "../../config.ts";
import { CodedError } from "../../errors.ts";
import type { Repository } from "../../oci/content.ts";
import { openLayout } from "../../registry/layout.ts";
import { ecKeys } from "../../testing/signatures/certificates.ts";
import {
  bundleLayer,
  bundleType,
  dsseBundle,
  legacyLayer,
  messageBundle,
  pae,
  signWith,
  simpleSigning,
  statement,
} from "../../testing/signatures/cosign-signatures.ts";
import { testRepository } from "../../testing/registry/client.ts";
import { startRegistry } from "../../testing/registry/registry.ts";
import { SignedArtifact, type TestLayer } from "../../testing/signatures/signed-artifact.ts";
import { legacyTag } from "./legacy.ts";
import { cosignKeyPolicy } from "../policy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { CosignKeyPolicy, Verification } from "../verifier.ts";

const { signal } = new AbortController();
const [ours, others] = [ecKeys(), ecKeys()];
const make = signWith(ours.privateKey);
const pem = (keys: typeof ours): Buffer => Buffer.from(keys.publicKey.export({ type: "spki", format: "pem" }));
const policy = cosignKeyPolicy(new Map([["cosign.pub", pem(ours)]]), "Secret keys");
const otherDigest = `sha256:${"0".repeat(64)}` as const;

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

const digest = (): typeof artifact.root.digest => artifact.root.digest;
const tag = (): string => legacyTag(digest()) ?? "";
const legacy = async (...layers: TestLayer[]): Promise<void> => await artifact.tag(tag(), layers);
const bundle = async (layer: TestLayer): Promise<void> => await artifact.refer(bundleType, [layer]);
const good = (payload: Buffer): TestLayer => legacyLayer(payload, make(payload));
const verify = async (
  by: CosignKeyPolicy = policy,
  repository: Repository = artifact.repository,
  limits = verifyLimits,
): Promise<Verification> =>
  await signatureVerifier(limits).verify({ repository, root: artifact.root, policy: by, signal });

async function refusal(by: CosignKeyPolicy = policy): Promise<string> {
  const error: unknown = await verify(by).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "VerificationFailed" });
  return (error as CodedError).message;
}

describe("artifacts signed by cosign itself", () => {
  const fixture = (name: string): URL => new URL(`../../testing/fixtures/${name}`, import.meta.url);
  const trusted = cosignKeyPolicy(new Map([["cosign.pub", readFileSync(fixture("cosign.pub"))]]), "Secret keys");
  const open = (name: string) => openLayout(fixture(`oci/signed/${name}`).pathname, defaultLimits);

  it.each(["legacy", "bundle", "index"])("%s is good by its key, and by no other", async (name) => {
    const repository = open(name);
    const root = await repository.resolve("1.0.0", signal);
    const verification = await signatureVerifier(verifyLimits).verify({ repository, root, policy: trusted, signal });
    expect(verification).toMatchObject({
      provider: "cosign",
      result: "verified",
      identity: "key cosign.pub",
      warnings: [],
    });
    await expect(signatureVerifier(verifyLimits).verify({ repository, root, policy, signal })).rejects.toMatchObject({
      code: "VerificationFailed",
      details: { signatures: 1 },
    });
  });

  it("a signed index vouches for its children, so that they need no signature of their own", async () => {
    const repository = open("index");
    const fetched: string[] = [];
    const recording: Repository = {
      ...repository,
      fetch: async (descriptor, stop) => (fetched.push(descriptor.digest), await repository.fetch(descriptor, stop)),
    };
    const root = await repository.resolve("1.0.0", signal);
    const { signature } = await signatureVerifier(verifyLimits).verify({
      repository: recording,
      root,
      policy: trusted,
      signal,
    });
    // The signature's manifest and its bundle, but neither the index nor a child.
    expect(fetched).toHaveLength(2);
    expect(fetched[0]).toBe(signature);
    expect(fetched).not.toContain(root.digest);
  });
});

describe("over HTTP", () => {
  const trusted = cosignKeyPolicy(
    new Map([["cosign.pub", readFileSync(new URL("../../testing/fixtures/cosign.pub", import.meta.url))]]),
    "Secret keys",
  );

  it.each([
    ["legacy", true, 6],
    ["legacy", false, 6],
    ["bundle", true, 3],
    ["bundle", false, 4],
    ["index", true, 3],
    ["index", false, 4],
  ])("%s is good with the referrers API %j, in at most %d requests", async (name, referrers, most) => {
    await using registry = await startRegistry({ fixtures: true, referrers });
    const repository = testRepository(registry, `signed/${name}`);
    const root = await repository.resolve("1.0.0", signal);
    const before = registry.requests.length;
    expect(await signatureVerifier(verifyLimits).verify({ repository, root, policy: trusted, signal })).toMatchObject({
      result: "verified",
      identity: "key cosign.pub",
    });
    expect(registry.requests.length - before).toBeLessThanOrEqual(most);
  });
});

describe("simple signing", () => {
  it("accepts a signature by the key", async () => {
    await legacy(good(simpleSigning(digest())));
    expect(await verify()).toMatchObject({ result: "verified", identity: "key cosign.pub" });
  });

  it("accepts one good signature among bad ones, by any of several keys", async () => {
    const payload = simpleSigning(digest());
    await legacy(
      legacyLayer(payload, "AAAA"),
      legacyLayer(payload, signWith(others.privateKey)(payload)),
      good(simpleSigning(otherDigest)),
    );
    expect(await refusal()).toContain("of 3 found none is good");
    const both = cosignKeyPolicy(
      new Map([
        ["a.pub", pem(ours)],
        ["b.pub", pem(others)],
      ]),
      "Secret keys",
    );
    expect(await verify(both)).toMatchObject({ identity: "key b.pub" });
  });

  it.each<[string, (payload: Buffer) => TestLayer, RegExp]>([
    [
      "a signature by another key",
      (payload) => legacyLayer(payload, signWith(others.privateKey)(payload)),
      /not by any of the keys/,
    ],
    [
      "a signature over other bytes",
      (payload) => legacyLayer(payload, make(Buffer.from(`${payload.toString()} `))),
      /not by any of the keys/,
    ],
    ["a signature of another artifact", () => good(simpleSigning(otherDigest)), /a signature of sha256:0000/],
    [
      "a payload without a digest",
      () => good(Buffer.from('{"critical":{"type":"cosign container image signature"}}')),
      /a signature of nothing/,
    ],
    [
      "a payload of another type",
      () => good(simpleSigning(digest(), { type: "atomic container signature" })),
      /payload is of type atomic/,
    ],
    ["a payload that is a list", () => good(Buffer.from("[]")), /not a JSON object/],
    ["a payload that is null", () => good(Buffer.from("null")), /not a JSON object/],
    ["critical that is null", () => good(Buffer.from('{"critical":null}')), /payload is of type nothing/],
    ["a payload that is not JSON", () => good(Buffer.from("{")), /not JSON/],
    ["no signature", (payload) => legacyLayer(payload, ""), /no annotation dev\.cosignproject/],
    [
      "a layer of another type",
      (payload) => ({ ...good(payload), mediaType: "application/json" }),
      /it is of type application\/json/,
    ],
    [
      "a keyless signature",
      (payload) =>
        legacyLayer(payload, signWith(others.privateKey)(payload), {
          "dev.sigstore.cosign/certificate": "no certificate",
        }),
      /not a certificate/,
    ],
  ])("refuses %s", async (_, layer, message) => {
    await legacy(layer(simpleSigning(digest())));
    expect(await refusal()).toMatch(message);
  });

  it("demands annotations that were signed along", async () => {
    await legacy(good(simpleSigning(digest(), { optional: { env: "prod", team: "a" } })));
    expect(await verify({ ...policy, annotations: { env: "prod" } })).toMatchObject({ result: "verified" });
    expect(await refusal({ ...policy, annotations: { env: "prod", team: "b" } })).toContain("annotation team=b");
    expect(await refusal({ ...policy, annotations: { constructor: "x" } })).toContain("annotation constructor=x");
  });

  it("looks at no more signatures, and at none larger, than it is told", async () => {
    const payload = simpleSigning(digest());
    await legacy(legacyLayer(payload, "AAAA"), good(payload));
    const few = { ...verifyLimits, maxSignatures: 1 };
    await expect(verify(policy, artifact.repository, few)).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("only 1 were looked at"),
    });
    const small = { ...verifyLimits, maxSignatureBytes: 600 };
    await expect(verify(policy, artifact.repository, small)).rejects.toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("at most 600 are read"),
    });
  });
});

describe("Sigstore bundles", () => {
  it("accepts a signature by the key", async () => {
    await bundle(dsseBundle(statement(digest()), make));
    expect(await verify()).toMatchObject({ result: "verified", identity: "key cosign.pub" });
  });

  it("accepts a good older signature beside a bundle that is not ours", async () => {
    await bundle(dsseBundle(statement(digest()), signWith(others.privateKey)));
    await legacy(good(simpleSigning(digest())));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it("accepts a signature over the manifest itself", async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of await artifact.repository.fetch(artifact.root, signal)) chunks.push(chunk as Buffer);
    await bundle(messageBundle(Buffer.concat(chunks), make));
    expect(await verify()).toMatchObject({ result: "verified" });
    expect(await refusal({ ...policy, annotations: { a: "b" } })).toContain("no annotation is signed along");
  });

  it.each<[string, () => TestLayer, RegExp]>([
    ["another key", () => dsseBundle(statement(digest()), signWith(others.privateKey)), /not by any of the keys/],
    ["another artifact", () => dsseBundle(statement(otherDigest), make), /signature of .*0000.*, not of this artifact/],
    [
      "another algorithm's digest",
      () => dsseBundle(statement(digest(), { subject: [{ digest: { sha512: digest().slice(7) } }] }), make),
      /not of this artifact/,
    ],
    [
      "a digest in capitals",
      () =>
        dsseBundle(statement(digest(), { subject: [{ digest: { sha256: digest().slice(7).toUpperCase() } }] }), make),
      /not of this artifact/,
    ],
    ["no subject", () => dsseBundle(statement(digest(), { subject: [] }), make), /names no subject/],
    [
      "a subject that is null",
      () => dsseBundle(statement(digest(), { subject: [null] }), make),
      /not of this artifact/,
    ],
    [
      "a subject that is not a list",
      () => dsseBundle(statement(digest(), { subject: { digest: {} } }), make),
      /names no subject/,
    ],
    [
      "too many subjects",
      () => dsseBundle(statement(digest(), { subject: Array.from({ length: 2000 }, () => ({})) }), make),
      /2000 subjects/,
    ],
    [
      "a statement that is not a signature",
      () => dsseBundle(statement(digest(), { predicateType: "https://spdx.dev/Document" }), make),
      /attests https:\/\/spdx\.dev\/Document/,
    ],
    [
      "a statement of another kind",
      () => dsseBundle(statement(digest(), { _type: "https://example.test" }), make),
      /not in-toto's/,
    ],
    [
      "another payload type",
      () => dsseBundle(statement(digest()), make, { payloadType: "text/plain" }),
      /envelope is of type/,
    ],
    [
      "a signature over the bare payload",
      () => dsseBundle(statement(digest()), () => make(statement(digest()))),
      /not by any of the keys/,
    ],
    [
      "a signature for another payload type",
      () => dsseBundle(statement(digest()), () => make(pae("text/plain", statement(digest())))),
      /not by any of the keys/,
    ],
    ["a payload that is not JSON", () => dsseBundle(Buffer.from("{"), make), /not JSON/],
    [
      "no signature",
      () => dsseBundle(statement(digest()), make, { signatures: () => [] }),
      /not a valid Sigstore bundle/,
    ],
    [
      "an empty signature",
      () => dsseBundle(statement(digest()), make, { signatures: () => [{ sig: "" }] }),
      /not a valid Sigstore bundle/,
    ],
    [
      "two signatures",
      () => dsseBundle(statement(digest()), make, { signatures: (sig) => [{ sig }, { sig }] }),
      /not a valid Sigstore bundle/,
    ],
    [
      "no envelope",
      () => bundleLayer({ verificationMaterial: { publicKey: { hint: "" } } }),
      /not a valid Sigstore bundle/,
    ],
    [
      "no verification material",
      () => dsseBundle(statement(digest()), make, { material: null }),
      /not a valid Sigstore bundle/,
    ],
    ["an empty object", () => ({ mediaType: bundleType, bytes: "{}" }), /not a valid Sigstore bundle/],
    ["a list", () => ({ mediaType: bundleType, bytes: "[]" }), /not a JSON object/],
    ["no JSON", () => ({ mediaType: bundleType, bytes: "bundle" }), /not JSON/],
    ["a layer of another type", () => ({ mediaType: "text/plain", bytes: "{}" }), /no layer of type/],
    [
      "a signature over another manifest",
      () => messageBundle(Buffer.from("{}"), make),
      /a signature of sha256:44136fa3/,
    ],
    [
      "a signature over another manifest under this digest",
      () => messageBundle(Buffer.from("{}"), make, Buffer.from(digest().slice(7), "hex")),
      /not by any of the keys/,
    ],
  ])("refuses %s", async (_, layer, message) => {
    await bundle(layer());
    expect(await refusal()).toMatch(message);
  });

  it("demands annotations that were signed along", async () => {
    const subject = [{ digest: { sha256: digest().slice(7) }, annotations: { env: "prod" } }];
    await bundle(dsseBundle(statement(digest(), { subject }), make));
    expect(await verify({ ...policy, annotations: { env: "prod" } })).toMatchObject({ result: "verified" });
    expect(await refusal({ ...policy, annotations: { env: "dev" } })).toContain("annotation env=dev");
  });

  it("looks at no more bundles than it is told", async () => {
    await bundle(dsseBundle(statement(digest()), signWith(others.privateKey)));
    await bundle(dsseBundle(statement(digest()), signWith(ecKeys().privateKey)));
    await expect(verify(policy, artifact.repository, { ...verifyLimits, maxSignatures: 1 })).rejects.toMatchObject({
      message: expect.stringContaining("has 2 bundles, of which only 1"),
    });
  });
});

describe("an artifact without a good signature", () => {
  it("is refused with what was looked for", async () => {
    const message = await refusal();
    expect(message).toContain("key cosign.pub");
    expect(message).toContain(bundleType);
    expect(message).toContain(tag());
  });

  it("is told from a registry that does not answer", async () => {
    const down = (code: "RegistryUnreachable" | "RegistryUnavailable") => async () =>
      await Promise.reject(new CodedError(code, "down"));
    await expect(
      verify(policy, { ...artifact.repository, referrers: down("RegistryUnreachable") }),
    ).rejects.toMatchObject({ code: "RegistryUnreachable" });
    await expect(
      verify(policy, { ...artifact.repository, resolve: down("RegistryUnavailable") }),
    ).rejects.toMatchObject({
      code: "RegistryUnavailable",
    });
    await bundle(dsseBundle(statement(digest()), make));
    await expect(verify(policy, { ...artifact.repository, fetch: down("RegistryUnreachable") })).rejects.toMatchObject({
      code: "RegistryUnreachable",
    });
  });

  it("is told from a signature whose bytes are gone or are others", async () => {
    await bundle(dsseBundle(statement(digest()), make));
    for (const code of ["NotFound", "DigestMismatch"] as const) {
      const repository: Repository = {
        ...artifact.repository,
        fetch: async () => await Promise.reject(new CodedError(code, "odd")),
      };
      await expect(verify(policy, repository)).rejects.toMatchObject({
        code: "VerificationFailed",
        details: { signatures: 1 },
      });
    }
  });
});
