import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLimits } from "../../config.ts";
import type { CodedError } from "../../errors.ts";
import { ecKeys } from "../../testing/signatures/certificates.ts";
import {
  bundleType,
  dsseBundle,
  inTotoType,
  legacyLayer,
  pae,
  signWith,
  simpleSigning,
  statement,
} from "../../testing/signatures/cosign-signatures.ts";
import { SignedArtifact, type TestLayer } from "../../testing/signatures/signed-artifact.ts";
import { type LeafOptions, type LogEntryOptions, TestSigstore } from "../../testing/signatures/sigstore.ts";
import { legacyTag } from "./legacy.ts";
import { cosignKeyPolicy, keylessPolicy } from "../policy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { Verification, VerifyPolicy } from "../verifier.ts";

const { signal } = new AbortController();
const sigstore = new TestSigstore();
const anyone = keylessPolicy([], sigstore.trustedRoot());
const subject = "https://github.test/org/app/.github/workflows/release.yaml@refs/heads/main";
const issuer = "https://token.actions.test";

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

interface Options extends LeafOptions, LogEntryOptions {
  readonly payload?: Buffer;
  readonly signer?: Parameters<typeof signWith>[0];
  readonly hash?: string;
  /** Changes the entry of the signature log. */
  readonly entry?: (entry: ReturnType<TestSigstore["logEntry"]>["entry"]) => unknown;
  readonly by?: TestSigstore;
}

function keylessBundle(options: Options = {}): TestLayer {
  const {
    by = sigstore,
    hash = "sha256",
    payload = statement(artifact.root.digest),
    entry: change = (entry) => entry,
  } = options;
  const leaf = by.leaf(options);
  const make = signWith(options.signer ?? leaf.privateKey, hash);
  const signed = pae(inTotoType, payload);
  const signature = make(signed);
  const { entry } = by.logEntry(signed, signature, leaf, options);
  const changed = change(entry);
  const material = {
    certificate: { rawBytes: leaf.certificate.raw.toString("base64") },
    tlogEntries: changed === undefined ? [] : [changed],
  };
  return dsseBundle(payload, () => signature, { material });
}

function keylessLegacy(options: Options = {}): TestLayer {
  const leaf = sigstore.leaf(options);
  const payload = options.payload ?? simpleSigning(artifact.root.digest);
  const signature = signWith(options.signer ?? leaf.privateKey)(payload);
  const { promised, promise } = sigstore.logEntry(payload, signature, leaf, options);
  return legacyLayer(payload, signature, {
    "dev.sigstore.cosign/certificate": leaf.certificate.toString(),
    "dev.sigstore.cosign/bundle": JSON.stringify({ SignedEntryTimestamp: promise, Payload: promised }),
  });
}

const attach = async (layer: TestLayer): Promise<void> => await artifact.refer(bundleType, [layer]);
const attachLegacy = async (layer: TestLayer): Promise<void> =>
  await artifact.tag(legacyTag(artifact.root.digest) ?? "", [layer]);
const verify = async (policy: VerifyPolicy = anyone): Promise<Verification> =>
  await signatureVerifier(verifyLimits).verify({
    repository: artifact.repository,
    root: artifact.root,
    policy,
    signal,
  });

async function refusal(policy: VerifyPolicy = anyone): Promise<string> {
  const error: unknown = await verify(policy).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "VerificationFailed" });
  return (error as CodedError).message;
}

describe("keyless bundles", () => {
  it("accepts a certificate that has expired since, and names its owner", async () => {
    await attach(keylessBundle());
    expect(await verify()).toMatchObject({
      result: "verified",
      identity: `subject ${subject} by issuer ${issuer}`,
      validUntil: undefined,
    });
  });

  it.each([
    ["P-384", "sha384"],
    ["P-521", "sha512"],
  ])("accepts a certificate with a key on %s", async (curve, hash) => {
    await attach(keylessBundle({ curve, hash }));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each<[string, Options, RegExp]>([
    ["a certificate of another authority", { by: new TestSigstore() }, /certificate chain/],
    ["a certificate that was never logged", { logged: false }, /expected 1 SCTs, got 0/],
    [
      "a signature that was never logged",
      { entry: () => undefined },
      /in no transparency log, as the trusted root asks for by listing https:\/\/rekor\.test/,
    ],
    [
      "a signature made after the certificate had expired",
      { integratedTime: new Date("2025-03-01T13:00:00Z") },
      /certificate/,
    ],
    [
      "a signature made before the certificate was valid",
      { integratedTime: new Date("2025-03-01T11:00:00Z") },
      /certificate/,
    ],
    [
      "a time that the log did not promise",
      { entry: (entry) => ({ ...entry, integratedTime: "1740830500" }) },
      /inclusion promise/,
    ],
    [
      "an entry without promise and proof",
      { entry: (entry) => ({ ...entry, inclusionPromise: undefined, inclusionProof: undefined }) },
      /not a valid Sigstore bundle/,
    ],
    [
      "an entry whose checkpoint was changed",
      {
        entry: (entry) => ({
          ...entry,
          inclusionProof: {
            ...entry.inclusionProof,
            checkpoint: { envelope: entry.inclusionProof.checkpoint.envelope.replace("\n1\n", "\n2\n") },
          },
        }),
      },
      /checkpoint/i,
    ],
    [
      "an entry that is not in the tree",
      {
        entry: (entry) => ({
          ...entry,
          inclusionProof: { ...entry.inclusionProof, hashes: [Buffer.alloc(32).toString("base64")] },
        }),
      },
      /hash|inclusion|proof/i,
    ],
    ["an entry about other content", { signedDigest: "0".repeat(64) }, /digest mismatch/],
    [
      "an entry of another log",
      { entry: (entry) => ({ ...entry, logId: { keyId: Buffer.alloc(32).toString("base64") } }) },
      /inclusion/,
    ],
    ["a body that is not JSON", { entry: (entry) => ({ ...entry, canonicalizedBody: "AAAA" }) }, /inclusion|body/i],
    [
      "a signature by another key than the certificate's",
      { signer: ecKeys().privateKey },
      /signature verification failed/,
    ],
  ])("refuses %s", async (_, options, message) => {
    await attach(keylessBundle(options));
    expect(await refusal()).toMatch(message);
  });

  it("refuses what the certificate's owner signed for another artifact, and other statements", async () => {
    await attach(keylessBundle({ payload: statement(`sha256:${"0".repeat(64)}`) }));
    await attach(
      keylessBundle({ payload: statement(artifact.root.digest, { predicateType: "https://slsa.dev/provenance/v1" }) }),
    );
    const message = await refusal();
    expect(message).toContain("not of this artifact");
    expect(message).toContain("https://slsa.dev/provenance/v1");
  });

  it("refuses certificates that are none", async () => {
    await attach(
      dsseBundle(statement(artifact.root.digest), () => Buffer.from("x"), {
        material: { certificate: { rawBytes: "AAAA" }, tlogEntries: [] },
      }),
    );
    expect(await refusal()).toContain("of 1 found none is good");
  });

  it("needs no keys, and keys accept no certificates", async () => {
    const keys = ecKeys();
    await attach(keylessBundle());
    const pem = Buffer.from(keys.publicKey.export({ type: "spki", format: "pem" }));
    expect(await refusal(cosignKeyPolicy(new Map([["cosign.pub", pem]]), "Secret keys"))).toContain(
      "made with a certificate",
    );
    await artifact.remove();
    artifact = await SignedArtifact.temporary();
    await attach(dsseBundle(statement(artifact.root.digest), signWith(keys.privateKey)));
    expect(await refusal()).toContain("made with a key");
  });

  it("trusts the public Sigstore where no root is given, and that one does not know ours", async () => {
    await attach(keylessBundle());
    const message = await refusal(keylessPolicy([], undefined));
    expect(message).toContain("of the public Sigstore");
    expect(message).toContain("certificate chain");
  });
});

describe("keyless signatures in the older form", () => {
  it("accepts a certificate that has expired since", async () => {
    await attachLegacy(keylessLegacy());
    expect(await verify()).toMatchObject({ result: "verified", identity: `subject ${subject} by issuer ${issuer}` });
  });

  const annotation =
    (key: string, value: string) =>
    (layer: TestLayer): TestLayer => ({
      ...layer,
      annotations: { ...layer.annotations, [`dev.sigstore.cosign/${key}`]: value },
    });
  const unchanged = (layer: TestLayer): TestLayer => layer;

  it.each<[string, Options, (layer: TestLayer) => TestLayer, RegExp]>([
    ["a signature that was never logged", {}, annotation("bundle", ""), /in no transparency log/],
    ["a log entry that is not JSON", {}, annotation("bundle", "{"), /not JSON/],
    ["a log entry that is null", {}, annotation("bundle", "null"), /not a JSON object/],
    ["a log entry without content", {}, annotation("bundle", '{"Payload":null}'), /is not JSON/],
    [
      "a log entry with an odd body",
      {},
      annotation("bundle", JSON.stringify({ Payload: { body: Buffer.from("[]").toString("base64") } })),
      /not a JSON object/,
    ],
    ["a timestamp that is none", {}, annotation("rfc3161timestamp", '{"SignedRFC3161Timestamp":"AAAA"}'), /./],
    [
      "a signature made after the certificate had expired",
      { integratedTime: new Date("2025-03-01T13:00:00Z") },
      unchanged,
      /certificate/,
    ],
    ["a log entry of another signature", { signedDigest: "0".repeat(64) }, unchanged, /digest mismatch/],
    ["a certificate that was never logged", { logged: false }, unchanged, /expected 1 SCTs/],
    ["a signature by another key", { signer: ecKeys().privateKey }, unchanged, /signature verification failed/],
    ["a certificate that is none", {}, annotation("certificate", "hello"), /not a certificate/],
  ])("refuses %s", async (_, options, change, message) => {
    await attachLegacy(change(keylessLegacy(options)));
    expect(await refusal()).toMatch(message);
  });
});

describe("identities", () => {
  const by = (rules: { issuer: string; subject: string }[]) => keylessPolicy(rules, sigstore.trustedRoot());

  it.each([
    [[{ issuer: `^${issuer}$`, subject: "^https://github\\.test/org/.*$" }]],
    [[{ issuer: ".*", subject: ".*" }]],
    [
      [
        { issuer: "https://other", subject: ".*" },
        { issuer: "https://token\\.actions\\.test", subject: ".*/release\\.yaml@refs/heads/main" },
      ],
    ],
  ])("accept %j", async (rules) => {
    await attach(keylessBundle());
    expect(await verify(by(rules))).toMatchObject({ result: "verified" });
  });

  it.each([
    // Each expression is for the whole text: a part of it is not enough.
    [[{ issuer: "token.actions.test", subject: ".*" }]],
    [[{ issuer: ".*", subject: "https://github.test/org/app" }]],
    [[{ issuer: ".*", subject: "org/app" }]],
    // Issuer and subject of different rules do not add up.
    [
      [
        { issuer, subject: "nobody" },
        { issuer: "nowhere", subject },
      ],
    ],
    [[{ issuer: "", subject: "" }]],
  ])("refuse %j", async (rules) => {
    await attach(keylessBundle());
    await attachLegacy(keylessLegacy());
    const message = await refusal(by(rules));
    expect(message).toContain(`subject ${subject} by issuer ${issuer}, whom no identity matches`);
  });
});

describe("trusted roots", () => {
  it.each([
    ["no JSON", "{"],
    ["another document", "{}"],
    ["no certificate log", sigstore.trustedRoot({ ctlogs: [] })],
    ["no signature log", sigstore.trustedRoot({ tlogs: [] })],
    ["no authority", sigstore.trustedRoot({ certificateAuthorities: [] })],
    [
      "a certificate that is none",
      sigstore.trustedRoot({ certificateAuthorities: [{ certChain: { certificates: [{ rawBytes: "AAAA" }] } }] }),
    ],
  ])("are refused with %s, instead of leaving a check out", async (_, json) => {
    await attach(keylessBundle());
    await expect(verify(keylessPolicy([], json))).rejects.toMatchObject({ code: "SecretInvalid" });
  });
});
