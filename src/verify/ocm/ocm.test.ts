import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { defaultLimits, verifyLimits } from "../../config.ts";
import { openLayout } from "../../registry/layout.ts";
import {
  componentArtifact,
  descriptorOf,
  localResource,
  ocmFixturesDir,
  ocmPublicKey,
  rsaKeys,
  signDescriptor,
} from "../../testing/ocm.ts";
import { MemoryRepository } from "../../testing/registry/memory-repository.ts";
import { ocmPolicy } from "../policy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { Verification } from "../verifier.ts";

type Json = Record<string, unknown>;
const signal = new AbortController().signal;
const pem = (key: ReturnType<typeof rsaKeys>) => key.publicKey.export({ type: "spki", format: "pem" }).toString();
const policyOf = (keys: Record<string, string>, signature?: string) =>
  ocmPolicy(new Map(Object.entries(keys).map(([name, text]) => [name, Buffer.from(text)])), "Secret keys", signature);

let mine: ReturnType<typeof rsaKeys>;
let theirs: ReturnType<typeof rsaKeys>;
beforeAll(() => {
  [mine, theirs] = [rsaKeys(), rsaKeys()];
});

const plain = descriptorOf({ resources: [localResource("config", "a: 1")] });

async function verify(descriptor: Json, policy = policyOf({ "ocm.pub": pem(mine) })): Promise<Verification> {
  const repository = new MemoryRepository();
  const { artifactType, config, layers } = componentArtifact(descriptor, ["a: 1"]);
  const root = repository.manifest({
    artifactType,
    config: repository.blob(config.bytes, config.mediaType),
    layers: layers.map(({ bytes, mediaType }) => repository.blob(bytes, mediaType)),
  });
  return await signatureVerifier(verifyLimits).verify({ repository, root, policy, signal });
}

const refused = (message: RegExp) => ({ code: "VerificationFailed", message: expect.stringMatching(message) });

describe("component versions that ocm signed", () => {
  const open = async (name: string, tag: string) => {
    const repository = openLayout(join(ocmFixturesDir, name), defaultLimits);
    return { repository, root: await repository.resolve(tag, signal), signal };
  };

  it.each([
    ["app", "1.0.0"],
    ["plain", "0.3.0-rc.1"],
  ])("are verified: %s", async (name, tag) => {
    const policy = policyOf({ "ocm.pub": ocmPublicKey }, "default");
    expect(await signatureVerifier(verifyLimits).verify({ ...(await open(name, tag)), policy })).toMatchObject({
      provider: "ocm",
      result: "verified",
      identity: expect.stringContaining("key ocm.pub (signature default of fx.example/"),
    });
  });

  it.each<[string, string, Record<string, string> | undefined, string | undefined, RegExp]>([
    ["another key", "app", undefined, undefined, /not by any of the keys/],
    [
      "another name",
      "app",
      { "ocm.pub": ocmPublicKey },
      "release",
      /under the name release; no signature was found: .* has default/,
    ],
    ["no signature", "lib", { "ocm.pub": ocmPublicKey }, undefined, /has none; sign it with/],
  ])("are refused with %s", async (_, name, keys, signature, message) => {
    const policy = policyOf(keys ?? { "ocm.pub": pem(theirs) }, signature);
    const request = await open(name, name === "lib" ? "2.1.0" : "1.0.0");
    await expect(signatureVerifier(verifyLimits).verify({ ...request, policy })).rejects.toMatchObject(
      refused(message),
    );
  });
});

describe("a signature", () => {
  it.each([
    ["RSASSA-PSS", "SHA-256", undefined],
    ["RSASSA-PSS", "SHA-512", undefined],
    ["RSASSA-PKCS1-V1_5", "SHA-256", undefined],
    ["RSASSA-PKCS1-V1_5", "SHA-512", undefined],
    ["RSASSA-PSS", "SHA-256", "application/x-pem-file"],
    ["RSASSA-PKCS1-V1_5", "SHA-256", "application/vnd.ocm.signature.rsa.pem"],
  ] as const)("by %s over %s is good, as %s", async (algorithm, hash, media) => {
    const signed = signDescriptor(plain, mine.privateKey, { algorithm, hash, ...(media && { pem: media }) });
    expect((await verify(signed)).result).toBe("verified");
    await expect(verify(signed, policyOf({ "ocm.pub": pem(theirs) }))).rejects.toMatchObject(refused(/not by any/));
  });

  it("by any of the keys is good, and is not hidden by bad ones", async () => {
    const signed = signDescriptor(signDescriptor(plain, theirs.privateKey), mine.privateKey, { name: "second" });
    const policy = policyOf({ "a.pub": pem(rsaKeys()), "b.pub": pem(mine) });
    expect((await verify(signed, policy)).identity).toMatch(/^key b\.pub \(signature second/);
  });

  it("counts only under the name that is asked for", async () => {
    const signed = signDescriptor(signDescriptor(plain, mine.privateKey), theirs.privateKey, { name: "release" });
    await expect(verify(signed, policyOf({ "ocm.pub": pem(mine) }, "release"))).rejects.toMatchObject(
      refused(/release/),
    );
    expect((await verify(signed, policyOf({ "ocm.pub": pem(mine) }, "default"))).result).toBe("verified");
  });

  it.each<[string, (component: Json) => Json]>([
    ["a resource's digest", (c) => ({ ...c, resources: [localResource("config", "a: 2")] })],
    ["a resource's name", (c) => ({ ...c, resources: [localResource("other", "a: 1")] })],
    ["another resource", (c) => ({ ...c, resources: [...(c["resources"] as Json[]), localResource("more", "x")] })],
    ["the version", (c) => ({ ...c, version: "9.9.9" })],
    ["the name", (c) => ({ ...c, name: "fx.example/other" })],
    ["the provider", (c) => ({ ...c, provider: "somebody" })],
    ["a reference", (c) => ({ ...c, componentReferences: [{ name: "a", version: "1.0.0", componentName: "b.c/d" }] })],
    ["a signed label", (c) => ({ ...c, labels: [{ name: "a", value: 1, signing: true }] })],
  ])("does not cover a change of %s", async (_, change) => {
    const signed = signDescriptor(plain, mine.privateKey);
    const changed = { ...signed, component: change(signed["component"] as Json) };
    await expect(verify(changed)).rejects.toMatchObject(refused(/was changed/));
  });

  it.each<[string, (component: Json) => Json]>([
    [
      "where things are",
      (c) => ({ ...c, resources: [localResource("config", "a: 1", { access: { type: "ociBlob" } })] }),
    ],
    ["labels that are not signed", (c) => ({ ...c, labels: [{ name: "a", value: 1 }] })],
    ["repository contexts", (c) => ({ ...c, repositoryContexts: [{ type: "OCIRegistry" }] })],
  ])("stays good when a transfer changes %s", async (_, change) => {
    const signed = signDescriptor(plain, mine.privateKey);
    expect((await verify({ ...signed, component: change(signed["component"] as Json) })).result).toBe("verified");
  });

  const edited = (edit: (signature: { digest: Json; signature: Json }) => void): Json => {
    const signed = structuredClone(signDescriptor(plain, mine.privateKey));
    edit((signed["signatures"] as { digest: Json; signature: Json }[])[0]!);
    return signed;
  };

  it.each<[string, (signature: { digest: Json; signature: Json }) => void, RegExp]>([
    [
      "v1 of the normalisation",
      ({ digest }) => (digest["normalisationAlgorithm"] = "jsonNormalisation/v1"),
      /jsonNormalisation\/v1/,
    ],
    [
      "v2 of the normalisation",
      ({ digest }) => (digest["normalisationAlgorithm"] = "jsonNormalisation/v2"),
      /jsonNormalisation\/v2/,
    ],
    [
      "v3 of the normalisation",
      ({ digest }) => (digest["normalisationAlgorithm"] = "jsonNormalisation/v3"),
      /jsonNormalisation\/v3/,
    ],
    ["another hash", ({ digest }) => (digest["hashAlgorithm"] = "SHA-1"), /SHA-1/],
    ["another digest", ({ digest }) => (digest["value"] = "00"), /was changed/],
    ["another algorithm", ({ signature }) => (signature["algorithm"] = "sigstore"), /sigstore/],
    ["the other algorithm", ({ signature }) => (signature["algorithm"] = "RSASSA-PKCS1-V1_5"), /not by any/],
    ["another media type", ({ signature }) => (signature["mediaType"] = "application/pgp-signature"), /pgp/],
    ["no hexadecimal digits", ({ signature }) => (signature["value"] = "zz"), /hexadecimal/],
    [
      "half of its digits",
      ({ signature }) => (signature["value"] = String(signature["value"]).slice(0, 128)),
      /not by any/,
    ],
    ["no value", ({ signature }) => (signature["value"] = ""), /hexadecimal/],
    ["no PEM", ({ signature }) => (signature["mediaType"] = "application/x-pem-file"), /block SIGNATURE/],
  ])("is refused with %s", async (_, edit, message) => {
    await expect(verify(edited(edit))).rejects.toMatchObject(refused(message));
  });

  it("is refused where its PEM states another algorithm", async () => {
    const signed = signDescriptor(plain, mine.privateKey, { pem: "application/x-pem-file" });
    const text = JSON.stringify(signed).replace(
      "Signature Algorithm: RSASSA-PSS",
      "Signature Algorithm: RSASSA-PKCS1-V1_5",
    );
    await expect(verify(JSON.parse(text) as Json)).rejects.toMatchObject(refused(/its PEM says/));
  });

  it("is told by its media type where no algorithm is stated", async () => {
    expect((await verify(edited(({ signature }) => (signature["algorithm"] = "")))).result).toBe("verified");
  });
});

describe("the policy", () => {
  it("takes RSA keys alone", () => {
    const ec = readFileSync(new URL("../../testing/fixtures/cosign.pub", import.meta.url), "utf8");
    expect(() => policyOf({ "a.pub": pem(mine), "b.pub": ec })).toThrow(/b\.pub is not an RSA key/);
    expect(() => policyOf({ "readme.txt": "x" })).toThrow(/has no key \*\.pub/);
  });

  it("accepts the same as another one only with the same keys and name", () => {
    const keys = { "ocm.pub": pem(mine) };
    const prints = [policyOf(keys), policyOf(keys, ""), policyOf(keys, "a"), policyOf({ "ocm.pub": pem(theirs) })];
    expect(new Set(prints.map(({ fingerprint }) => fingerprint)).size).toBe(4);
    expect(policyOf({ "other.pub": keys["ocm.pub"] }).fingerprint).toBe(policyOf(keys).fingerprint);
  });
});
