import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLimits } from "../config.ts";
import { ecKeys } from "../testing/signatures/certificates.ts";
import {
  bundleType,
  dsseBundle,
  inTotoType,
  legacyLayer,
  pae,
  signWith,
  simpleSigning,
  statement,
} from "../testing/signatures/cosign-signatures.ts";
import { SignedArtifact, type TestLayer } from "../testing/signatures/signed-artifact.ts";
import { TestSigstore } from "../testing/signatures/sigstore.ts";
import { legacyTag } from "./cosign/legacy.ts";
import { aged, cosignKeyPolicy, keylessPolicy, ocmPolicy } from "./policy.ts";
import { signatureVerifier } from "./signature-verifier.ts";
import type { VerifyPolicy } from "./verifier.ts";

const { signal } = new AbortController();
const sigstore = new TestSigstore();
const pair = ecKeys();
const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
const hour = 3_600_000;
/** When the log has seen the signatures, unless a test says otherwise. */
const logged = Date.parse("2025-03-01T12:01:00Z");
const keyless = aged(keylessPolicy([], sigstore.trustedRoot()), hour);
const byKey = aged(cosignKeyPolicy(new Map([["cosign.pub", Buffer.from(pem)]]), "test"), hour, sigstore.trustedRoot());

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

type Change = (entry: ReturnType<TestSigstore["logEntry"]>["entry"]) => unknown;

function bundle(
  who: "keyless" | "key",
  { at = logged, change = (entry) => entry, by = sigstore }: { at?: number; change?: Change; by?: TestSigstore } = {},
): TestLayer {
  const payload = statement(artifact.root.digest);
  const leaf = by.leaf({ notBefore: new Date(at - 60_000) });
  const signed = pae(inTotoType, payload);
  const signature = signWith(who === "key" ? pair.privateKey : leaf.privateKey)(signed);
  const entry = change(by.logEntry(signed, signature, leaf, { integratedTime: new Date(at) }).entry);
  const certificate = { certificate: { rawBytes: leaf.certificate.raw.toString("base64") } };
  const material = {
    ...(who === "key" ? { publicKey: { hint: "x" } } : certificate),
    tlogEntries: entry === undefined ? [] : [entry],
  };
  return dsseBundle(payload, () => signature, { material });
}

const attach = async (layer: TestLayer): Promise<void> => await artifact.refer(bundleType, [layer]);

async function verify(policy: VerifyPolicy, now: number): Promise<unknown> {
  const request = { repository: artifact.repository, root: artifact.root, policy, signal };
  return await signatureVerifier(verifyLimits, () => now)
    .verify(request)
    .catch((error: unknown) => error);
}

describe.each([
  ["keyless", keyless, "keyless"],
  ["by a key", byKey, "key"],
] as const)("a signature %s", (_, policy, who) => {
  it("is taken from the age on, by the log's time, and not a millisecond before", async () => {
    await attach(bundle(who));
    expect(await verify(policy, logged + hour - 1)).toMatchObject({
      code: "TooYoung",
      details: { until: logged + hour },
      message: expect.stringMatching(/signed at 2025-03-01T12:01:00Z, by .*; verify.minAge .* 2025-03-01T13:01:00Z$/),
    });
    expect(await verify(policy, logged + hour)).toMatchObject({ result: "verified", signedAt: logged });
  });

  it("is too young also where the age is beyond all dates", async () => {
    await attach(bundle(who));
    const never = { ...policy, minAgeMs: 1e20, fingerprint: "never" };
    expect(await verify(never, logged + hour)).toMatchObject({
      code: "TooYoung",
      message: expect.stringContaining("+275760-09-13") as unknown,
    });
  });

  it("counts where an older one stands beside younger ones", async () => {
    await attach(bundle(who, { at: logged + 10 * hour }));
    await attach(bundle(who, { at: logged }));
    await attach(bundle(who, { at: logged + 5 * hour }));
    expect(await verify(policy, logged + 2 * hour)).toMatchObject({ result: "verified", signedAt: logged });
    expect(await verify(policy, logged)).toMatchObject({ code: "TooYoung", details: { until: logged + hour } });
  });

  it.each<[string, Change]>([
    ["was changed", (entry) => ({ ...entry, integratedTime: "1000000000" })],
    [
      "is that of another log",
      () => new TestSigstore().logEntry(Buffer.from("x"), Buffer.from("y"), sigstore.leaf()).entry,
    ],
    ["was not promised", (entry) => ({ ...entry, inclusionPromise: undefined })],
  ])("is refused where its time %s", async (_what, change) => {
    await attach(bundle(who, { change }));
    expect(await verify(policy, logged + 100 * hour)).toMatchObject({ code: "VerificationFailed" });
  });
});

describe("a signature whose time nobody knows", () => {
  it("is refused by name, also where it is good", async () => {
    await attach(bundle("key", { change: () => undefined }));
    expect(await verify(byKey, logged + 100 * hour)).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("carries no time that a transparency log or a timestamp authority vouches for"),
    });
    const { minAgeMs: _, ...plain } = byKey;
    expect(await verify({ ...plain, fingerprint: "plain" }, logged)).toMatchObject({ result: "verified" });
  });

  it("does not hide one with a time", async () => {
    await attach(bundle("key", { change: () => undefined }));
    await attach(bundle("key"));
    expect(await verify(byKey, logged + hour)).toMatchObject({ signedAt: logged });
  });

  it("is that of an OCM component version, which is refused before anything is asked", () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const ocm = publicKey.export({ type: "spki", format: "pem" }).toString();
    const policy = ocmPolicy(new Map([["ocm.pub", Buffer.from(ocm)]]), "test", undefined);
    expect(() => aged(policy, hour)).toThrow(/OCM component versions do not carry/);
  });
});

it("an older signature with a key has its time in its annotation", async () => {
  const payload = simpleSigning(artifact.root.digest);
  const signature = signWith(pair.privateKey)(payload);
  const { promised, promise } = sigstore.logEntry(payload, signature, sigstore.leaf(), {
    integratedTime: new Date(logged),
  });
  const logEntry = JSON.stringify({ SignedEntryTimestamp: promise, Payload: promised });
  await artifact.tag(legacyTag(artifact.root.digest) ?? "", [
    legacyLayer(payload, signature, { "dev.sigstore.cosign/bundle": logEntry }),
  ]);
  expect(await verify(byKey, logged + hour)).toMatchObject({ signedAt: logged });
  expect(await verify(byKey, logged + hour - 1)).toMatchObject({ code: "TooYoung" });
});
