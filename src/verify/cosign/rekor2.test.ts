import { createHash, type KeyObject } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLimits } from "../../config.ts";
import { fetchAll } from "../../oci/fetch-all.ts";
import { ecKeys, type TestCertificate } from "../../testing/signatures/certificates.ts";
import {
  bundleLayer,
  bundleType,
  inTotoType,
  legacyLayer,
  pae,
  signWith,
  simpleSigning,
  statement,
} from "../../testing/signatures/cosign-signatures.ts";
import { type LoggedSignature, type LoggedSigner, TestRekor } from "../../testing/signatures/rekor.ts";
import { SignedArtifact } from "../../testing/signatures/signed-artifact.ts";
import { TestSigstore } from "../../testing/signatures/sigstore.ts";
import { TestTimestampAuthority } from "../../testing/signatures/timestamps.ts";
import { aged, cosignKeyPolicy, keylessPolicy } from "../policy.ts";
import { legacyTag } from "./legacy.ts";
import { signatureVerifier } from "../signature-verifier.ts";
import type { VerifyPolicy } from "../verifier.ts";

const { signal } = new AbortController();
const sigstore = new TestSigstore();
/** Within the ten minutes of a certificate. */
const stamped = Date.parse("2025-03-01T12:02:00Z");
const hour = 3_600_000;
const newer = keylessPolicy([], sigstore.newerRoot());
const withoutLog = keylessPolicy([], sigstore.rootWithoutLog());
const pair = ecKeys();
const pem = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" }));
const keys = cosignKeyPolicy(new Map([["cosign.pub", pem]]), "test");

let artifact: SignedArtifact;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
});
afterEach(async () => await artifact.remove());

type Entry = ReturnType<TestRekor["entry"]>;

interface Options {
  readonly kind?: LoggedSignature["kind"];
  /** A signature over the manifest itself, instead of a statement in an envelope. */
  readonly isMessage?: boolean;
  readonly leaf?: TestCertificate;
  readonly log?: TestRekor;
  /** What is logged, where it is not this signature. */
  readonly logged?: Partial<LoggedSignature>;
  readonly entries?: (entry: Entry) => readonly unknown[];
  /** When and by whom the signature is timestamped, and what is in its place. */
  readonly times?: readonly number[];
  readonly tsa?: TestTimestampAuthority;
  /** Timestamps an hour earlier as well. */
  readonly alsoBy?: TestTimestampAuthority;
  readonly stampedBytes?: Buffer;
  readonly byKey?: boolean;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const alone = (entry: Entry): readonly unknown[] => [entry];

async function attach(options: Options = {}): Promise<void> {
  const { leaf = sigstore.leaf(), isMessage = false, byKey = false } = options;
  const payload = isMessage ? await manifest() : statement(artifact.root.digest);
  const signed = isMessage ? payload : pae(inTotoType, payload);
  const signature = signWith(byKey ? pair.privateKey : leaf.privateKey)(signed);
  const certificate = { certificate: { rawBytes: leaf.certificate.raw.toString("base64") } };
  await artifact.refer(bundleType, [
    bundleLayer({
      verificationMaterial: {
        ...(byKey ? { publicKey: { hint: "x" } } : certificate),
        tlogEntries: logged({ payload, signed, signature, signer: byKey ? bareKey : leaf }, options),
        timestampVerificationData: { rfc3161Timestamps: timestamps(signature, options) },
      },
      ...contentOf(payload, signature, isMessage),
    }),
  ]);
}

/** What has nothing to do with the signature. */
const strangely: LoggedSignature = {
  kind: "hashedrekord",
  digest: sha256(Buffer.from("x")),
  signature: Buffer.from("x"),
  signer: { publicKey: Buffer.from("x") },
};
const bareKey = { publicKey: pair.publicKey.export({ type: "spki", format: "der" }) };

interface Made {
  readonly payload: Buffer;
  readonly signed: Buffer;
  readonly signature: Buffer;
  readonly signer: LoggedSigner;
}

function logged({ payload, signed, signature, signer }: Made, options: Options): readonly unknown[] {
  const { kind = "hashedrekord", log = sigstore.rekor2, entries = alone } = options;
  const digest = sha256(kind === "dsse" ? payload : signed);
  return entries(log.entry({ kind, digest, signature, signer, ...options.logged }));
}

function timestamps(signature: Buffer, { times = [stamped], tsa = sigstore.tsa, stampedBytes, alsoBy }: Options) {
  const own = times.map((time) => tsa.stamp(stampedBytes ?? signature, new Date(time)));
  const others = alsoBy === undefined ? [] : [alsoBy.stamp(signature, new Date(stamped - hour))];
  return [...own, ...others].map((stamp) => ({ signedTimestamp: stamp.toString("base64") }));
}

const manifest = async (): Promise<Buffer> =>
  await fetchAll(artifact.repository, artifact.root, artifact.root.size, signal);

function contentOf(payload: Buffer, signature: Buffer, isMessage: boolean) {
  const text = signature.toString("base64");
  if (!isMessage)
    return {
      dsseEnvelope: { payload: payload.toString("base64"), payloadType: inTotoType, signatures: [{ sig: text }] },
    };
  const digest = sha256(payload).toString("base64");
  return { messageSignature: { messageDigest: { algorithm: "SHA2_256", digest }, signature: text } };
}

async function verify(policy: VerifyPolicy, now = stamped): Promise<unknown> {
  const request = { repository: artifact.repository, root: artifact.root, policy, signal };
  return await signatureVerifier(verifyLimits, () => now)
    .verify(request)
    .catch((error: unknown) => error);
}

const identity = expect.stringMatching(/^subject https:\/\/github\.test\/org\/app/) as unknown;

describe("a log of the second version", () => {
  it.each<[string, Options]>([
    ["an envelope, logged by the hash of what was signed", {}],
    ["an envelope, logged as such", { kind: "dsse" }],
    ["a signature over the manifest", { isMessage: true }],
    ["several timestamps", { times: [stamped, stamped + 1000] }],
  ])("proves %s, and the timestamp says when", async (_, options) => {
    await attach(options);
    expect(await verify(newer)).toMatchObject({ result: "verified", identity, signedAt: stamped });
  });

  it("takes logs of both versions where the trusted root lists both", async () => {
    const both = sigstore.trustedRoot({
      tlogs: [...sigstore.tlogs, sigstore.rekor2.listed()],
      timestampAuthorities: [sigstore.tsa.listed],
    });
    await attach();
    expect(await verify(keylessPolicy([], both))).toMatchObject({ result: "verified" });
  });

  it.each<[string, Options]>([
    ["entries of logs", { entries: (entry) => [entry, new TestRekor("other.test").entry(strangely)] }],
    ["timestamps of authorities", { alsoBy: new TestTimestampAuthority() }],
  ])("counts besides %s that the root does not list", async (_, options) => {
    await attach(options);
    expect(await verify(newer)).toMatchObject({ result: "verified", signedAt: stamped });
  });

  const other = new TestRekor();
  const replaced = (change: (entry: Entry) => object) => ({
    entries: (entry: Entry) => [{ ...entry, ...change(entry) }],
  });
  it.each<[string, Options, RegExp]>([
    [
      "without a timestamp",
      { times: [] },
      /nobody vouches for when it was made: its log entry has no signed time, and it carries no timestamp by an authority/,
    ],
    ["that is in no log", { entries: () => [] }, /in no transparency log.*https:\/\/log2\.rekor\.test/],
    ["in a log that the root does not list", { log: other }, /inclusion in a log is not proved.*lists for that time/],
    [
      "with a time that nobody has signed in place of a timestamp",
      { times: [], ...replaced(() => ({ integratedTime: String(stamped / 1000) })) },
      /nobody vouches for when it was made/,
    ],
    [
      "with a proof of another entry",
      replaced(({ inclusionProof }) => ({ inclusionProof: { ...inclusionProof, logIndex: "0" } })),
      /inclusion proof|hash count/,
    ],
    [
      "with a checkpoint of a larger tree",
      replaced(({ inclusionProof }) => ({
        inclusionProof: {
          ...inclusionProof,
          checkpoint: { envelope: inclusionProof.checkpoint.envelope.replace(/\n\d+\n/, "\n9999\n") },
        },
      })),
      /checkpoint is signed by no log/,
    ],
    ["whose entry is of another signature", { logged: { signature: Buffer.from("x") } }, /signature mismatch/],
    ["whose entry is about other content", { logged: { digest: sha256(Buffer.from("x")) } }, /digest mismatch/],
    [
      "whose entry is about another envelope",
      { kind: "dsse", logged: { digest: sha256(Buffer.from("x")) } },
      /payload hash mismatch/,
    ],
    [
      "whose entry names the bare key, which its owner would not find",
      { logged: { signer: bareKey } },
      /log entry does not name the certificate/,
    ],
    [
      "whose envelope's entry names another certificate",
      { kind: "dsse", logged: { signer: sigstore.leaf() } },
      /log entry does not name the certificate/,
    ],
    ["with the same entry twice", { entries: (entry) => [entry, entry] }, /duplicate tlog entry/],
    ["of a kind that nobody knows", replaced(() => ({ kindVersion: { kind: "toy", version: "0.0.2" } })), /kind/],
  ])("refuses a signature %s", async (_, options, message) => {
    await attach(options);
    expect(await verify(newer)).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringMatching(message) as unknown,
    });
  });

  it("counts while the trusted root says that its key is good", async () => {
    const until = (end: string) =>
      sigstore.trustedRoot({
        tlogs: [sigstore.rekor2.listed({ start: "2020-01-01T00:00:00Z", end })],
        timestampAuthorities: [sigstore.tsa.listed],
      });
    await attach();
    expect(await verify(keylessPolicy([], until("2025-03-02T00:00:00Z")))).toMatchObject({ result: "verified" });
    expect(await verify(keylessPolicy([], until("2025-03-01T00:00:00Z")))).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("lists for that time") as unknown,
    });
  });
});

describe("a timestamp alone", () => {
  const noEntry: Options = { entries: () => [] };

  it("is enough where the trusted root lists no log", async () => {
    await attach(noEntry);
    expect(await verify(withoutLog)).toMatchObject({ result: "verified", identity, signedAt: stamped });
  });

  it.each<[string, Options, RegExp]>([
    ["that is not there", { times: [] }, /nobody vouches for when it was made: it carries no timestamp/],
    ["by another authority", { tsa: new TestTimestampAuthority() }, /timestamp is by no authority/],
    ["of another signature", { stampedBytes: Buffer.from("another") }, /or is of another signature/],
    ["after the certificate had expired", { times: [stamped + hour] }, /certificate/],
    ["of a time before the certificate was valid", { times: [stamped - hour] }, /certificate/],
    ["one of which is after the certificate had expired", { times: [stamped, stamped + hour] }, /certificate/],
    ["twice the same", { times: [stamped, stamped] }, /duplicate timestamp/],
    ["and a certificate that was never logged", { leaf: sigstore.leaf({ logged: false }) }, /expected 1 SCTs/],
    ["and a certificate of another Sigstore", { leaf: new TestSigstore().leaf() }, /certificate chain/],
  ])("refuses a timestamp %s", async (_, options, message) => {
    await attach({ ...noEntry, ...options });
    expect(await verify(withoutLog)).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringMatching(message) as unknown,
    });
  });

  it("is not by an authority whose time in the trusted root is over", async () => {
    const over = { ...sigstore.tsa.listed, validFor: { start: "2020-01-01T00:00:00Z", end: "2025-01-01T00:00:00Z" } };
    await attach(noEntry);
    const policy = keylessPolicy([], sigstore.trustedRoot({ tlogs: [], timestampAuthorities: [over] }));
    expect(await verify(policy)).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringContaining("no authority that the trusted root lists for that time") as unknown,
    });
  });

  it("is not enough where the trusted root lists a log, also the public one", async () => {
    await attach(noEntry);
    for (const policy of [newer, keylessPolicy([], undefined)])
      expect(await verify(policy)).toMatchObject({
        code: "VerificationFailed",
        message: expect.stringContaining("in no transparency log") as unknown,
      });
  });
});

describe("a timestamp in the annotations of an older signature", () => {
  async function attachOlder(signer: KeyObject, leaf?: TestCertificate): Promise<void> {
    const payload = simpleSigning(artifact.root.digest);
    const signature = signWith(signer)(payload);
    const SignedRFC3161Timestamp = sigstore.tsa.stamp(signature, new Date(stamped)).toString("base64");
    const layer = legacyLayer(payload, signature, {
      "dev.sigstore.cosign/rfc3161timestamp": JSON.stringify({ SignedRFC3161Timestamp }),
      ...(leaf && { "dev.sigstore.cosign/certificate": leaf.certificate.toString() }),
    });
    await artifact.tag(legacyTag(artifact.root.digest) ?? "", [layer]);
  }

  it("vouches for a certificate where the trusted root lists no log, and only there", async () => {
    const leaf = sigstore.leaf();
    await attachOlder(leaf.privateKey, leaf);
    expect(await verify(withoutLog)).toMatchObject({ result: "verified", identity, signedAt: stamped });
    expect(await verify(newer)).toMatchObject({ code: "VerificationFailed" });
  });

  it("vouches for the age of a signature by a key", async () => {
    await attachOlder(pair.privateKey);
    const policy = aged(keys, hour, sigstore.rootWithoutLog());
    expect(await verify(policy, stamped + hour - 1)).toMatchObject({ code: "TooYoung" });
    expect(await verify(policy, stamped + hour)).toMatchObject({ result: "verified", signedAt: stamped });
  });
});

describe("verify.minAge by the time of a timestamp authority", () => {
  const timesOnly = sigstore.trustedRoot({
    certificateAuthorities: [],
    ctlogs: [],
    tlogs: [],
    timestampAuthorities: [sigstore.tsa.listed],
  });
  it.each<[string, VerifyPolicy, Options]>([
    ["keyless, in a log of the second version", newer, {}],
    ["keyless, with a timestamp alone", withoutLog, { entries: () => [] }],
    ["by a key, in a log of the second version", aged(keys, hour, sigstore.newerRoot()), { byKey: true }],
    ["by a key, with a timestamp alone", aged(keys, hour, timesOnly), { byKey: true, entries: () => [] }],
    ["by a key, with an entry of a log besides that nobody knows", aged(keys, hour, timesOnly), { byKey: true }],
  ])("%s", async (_, policy, options) => {
    const old = policy.minAgeMs === undefined ? aged(policy, hour) : policy;
    // The earliest of them counts.
    await attach({ ...options, times: [stamped + 60_000, stamped] });
    expect(await verify(old, stamped + hour - 1)).toMatchObject({
      code: "TooYoung",
      details: { until: stamped + hour },
    });
    expect(await verify(old, stamped + hour)).toMatchObject({ result: "verified", signedAt: stamped });
  });

  it.each<[string, Options, RegExp]>([
    ["another authority", { tsa: new TestTimestampAuthority() }, /timestamp is by no authority/],
    ["nobody", { times: [] }, /carries no time that/],
    ["the right authority, for another signature", { stampedBytes: Buffer.from("x") }, /of another signature/],
  ])("is not that of %s", async (_, options, message) => {
    await attach({ byKey: true, entries: () => [], ...options });
    expect(await verify(aged(keys, hour, timesOnly), stamped + 100 * hour)).toMatchObject({
      code: "VerificationFailed",
      message: expect.stringMatching(message) as unknown,
    });
  });

  it("needs a trusted root that lists somebody who tells the time", async () => {
    await attach({ byKey: true });
    const policy = aged(keys, hour, sigstore.trustedRoot({ tlogs: [], timestampAuthorities: [] }));
    expect(await verify(policy)).toMatchObject({
      code: "SecretInvalid",
      message: expect.stringContaining("lists no tlogs or timestampAuthorities") as unknown,
    });
  });
});
