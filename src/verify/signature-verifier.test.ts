import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { verifyLimits } from "../config.ts";
import type { Repository } from "../oci/content.ts";
import { bundleType, dsseBundle, signWith, statement } from "../testing/signatures/cosign-signatures.ts";
import { SignedArtifact } from "../testing/signatures/signed-artifact.ts";
import { TestSigstore } from "../testing/signatures/sigstore.ts";
import { cosignKeyPolicy, keylessPolicy } from "./policy.ts";
import { accessKey } from "../sharing/access-key.ts";
import { signatureVerifier } from "./signature-verifier.ts";
import type { VerifyPolicy } from "./verifier.ts";

const { signal } = new AbortController();
const keys = generateKeyPairSync("ed25519");
const policyOf = ({ publicKey }: typeof keys) =>
  cosignKeyPolicy(
    new Map([["cosign.pub", Buffer.from(publicKey.export({ type: "spki", format: "pem" }))]]),
    "Secret x",
  );
const policy = policyOf(keys);

let artifact: SignedArtifact;
let requests: number;
let repository: Repository;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
  requests = 0;
  repository = {
    ...artifact.repository,
    access: accessKey({ who: "alice" }),
    fetch: async (...args) => (requests++, await artifact.repository.fetch(...args)),
    referrers: async (...args) => (requests++, await artifact.repository.referrers(...args)),
  };
});
afterEach(async () => await artifact.remove());

const sign = async (): Promise<void> =>
  await artifact.refer(bundleType, [dsseBundle(statement(artifact.root.digest), signWith(keys.privateKey, null))]);

it("asks once for a digest and a set of keys", async () => {
  await sign();
  const verifier = signatureVerifier(verifyLimits);
  const first = await verifier.verify({ repository, root: artifact.root, policy, signal });
  const asked = requests;
  expect(asked).toBeGreaterThan(0);
  expect(await verifier.verify({ repository, root: artifact.root, policy: policyOf(keys), signal })).toEqual(first);
  expect(requests).toBe(asked);
});

it("asks again for other keys, annotations, artifacts and repositories", async () => {
  await sign();
  const verifier = signatureVerifier(verifyLimits);
  const verify = async (change: Partial<Parameters<typeof verifier.verify>[0]>): Promise<unknown> =>
    await verifier.verify({ repository, root: artifact.root, policy, signal, ...change }).then(
      () => "good",
      (error: unknown) => (error as { code: string }).code,
    );
  expect(await verify({})).toBe("good");
  expect(await verify({ policy: policyOf(generateKeyPairSync("ed25519")) })).toBe("VerificationFailed");
  expect(await verify({ policy: { ...policy, annotations: { a: "b" } } })).toBe("VerificationFailed");
  expect(await verify({ root: { ...artifact.root, digest: `sha256:${"1".repeat(64)}` } })).toBe("VerificationFailed");
  const asked = requests;
  expect(await verify({ repository: { ...repository, name: "other.example/app" } })).toBe("good");
  expect(requests).toBeGreaterThan(asked);
});

it("keeps a result for those with the same access alone, and none where the access is not known", async () => {
  await sign();
  const verifier = signatureVerifier(verifyLimits);
  const asks = async (access: Repository["access"]): Promise<boolean> => {
    const before = requests;
    await verifier.verify({ repository: { ...repository, access }, root: artifact.root, policy, signal });
    return requests > before;
  };
  const [alice, bob] = [accessKey({ who: "alice" }), accessKey({ who: "bob" })];
  expect([await asks(alice), await asks(alice), await asks(bob)]).toEqual([true, false, true]);
  expect([await asks(undefined), await asks(undefined)]).toEqual([true, true]);
});

it("judges by the public root of the moment, and asks for it where nothing else is named", async () => {
  const [old, young] = [new TestSigstore(), new TestSigstore()];
  let current = old;
  let asked = 0;
  const publicRoot = async () => (asked++, await Promise.resolve(current.rootWithoutLog()));
  const verifier = signatureVerifier(verifyLimits, Date.now, { publicRoot });
  const verify = async (by: VerifyPolicy): Promise<unknown> =>
    await verifier.verify({ repository, root: artifact.root, policy: by, signal }).then(
      ({ result }) => result,
      (error: unknown) => (error as { code: string }).code,
    );
  await artifact.refer(bundleType, [old.timestamped(artifact.root.digest)]);
  expect([await verify(keylessPolicy([], undefined)), await verify(keylessPolicy([], undefined))]).toEqual([
    "verified",
    "verified",
  ]);
  expect(asked).toBe(2);
  current = young;
  expect(await verify(keylessPolicy([], undefined))).toBe("VerificationFailed");
  expect(asked).toBe(3);
  expect(await verify(keylessPolicy([], old.rootWithoutLog()))).toBe("verified");
  await sign();
  expect(await verify(policy)).toBe("verified");
  expect(asked).toBe(3);
});

it("does not remember a refusal: a signature may be added", async () => {
  const verifier = signatureVerifier(verifyLimits);
  const request = { repository, root: artifact.root, policy, signal };
  await expect(verifier.verify(request)).rejects.toMatchObject({
    code: "VerificationFailed",
    details: { signatures: 0 },
  });
  await sign();
  expect(await verifier.verify(request)).toMatchObject({ result: "verified" });
});

it("remembers no more than it is told", async () => {
  await sign();
  const verifier = signatureVerifier({ ...verifyLimits, cacheEntries: 1 });
  const request = { repository, root: artifact.root, policy, signal };
  await verifier.verify(request);
  await verifier.verify({ ...request, repository: { ...repository, name: "other.example/app" } });
  const asked = requests;
  await verifier.verify(request);
  expect(requests).toBeGreaterThan(asked);
});

it("stops where the work was aborted", async () => {
  await expect(
    signatureVerifier(verifyLimits).verify({ repository, root: artifact.root, policy, signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ code: "Aborted" });
});
