import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { registryDefaults, verifyLimits } from "../../../config.ts";
import { codeOf, messageOf } from "../../../errors.ts";
import { askOutside } from "../../../registry/ask.ts";
import {
  type CertificateOptions,
  der,
  derInteger,
  ecKeys,
  makeCertificate,
  sequence,
  type TestCertificate,
} from "../../../testing/signatures/certificates.ts";
import { coseLayer, jwsLayer, notationType } from "../../../testing/signatures/notation-signatures.ts";
import { type PolicyOptions, policyWith } from "../../../testing/signatures/notation-policy.ts";
import {
  listPoints,
  type ListOptions,
  names,
  ocspResponse,
  type OcspOptions,
  ocspServers,
  type Revocation,
  revocationList,
  RevocationServer,
} from "../../../testing/signatures/revocation-server.ts";
import { SignedArtifact } from "../../../testing/signatures/signed-artifact.ts";
import type { VerifyLimits } from "../../limits.ts";
import { signatureVerifier } from "../../signature-verifier.ts";
import type { Verification, Verifier } from "../../verifier.ts";

const { signal } = new AbortController();
const hour = 3_600_000;
const past = (ms: number): Date => new Date(Math.floor((Date.now() - ms) / 1000) * 1000);
const authority: CertificateOptions = { ca: true, usage: ["keyCertSign", "cRLSign"] };
const ocspSigning = "1.3.6.1.5.5.7.3.9";
const noCheck = { oid: "1.3.6.1.5.5.7.48.1.5", value: Buffer.from([0x05, 0]) };

const root = makeCertificate({ subject: { CN: "root" }, ...authority });
const responder = (options: CertificateOptions = {}): TestCertificate =>
  makeCertificate({
    subject: { CN: "responder" },
    issuer: root,
    purposes: [ocspSigning],
    extensions: [noCheck],
    ...options,
  });
const revoked: Revocation = { at: past(2 * hour), reason: 1 };
const revokedText = new RegExp(`CN=signer was revoked on ${revoked.at.toISOString()} \\(keyCompromise\\)`);

let artifact: SignedArtifact;
let server: RevocationServer;
beforeEach(async () => {
  artifact = await SignedArtifact.temporary();
  server = await RevocationServer.start();
});
afterEach(async () => {
  await server.close();
  await artifact.remove();
});

const limits = { ...verifyLimits, revocationList: { ...verifyLimits.revocationList, maxBytes: 64 * 1024 } };
/** Time-outs that tests can wait for. */
const impatient = {
  ...limits,
  ocsp: { ...limits.ocsp, timeoutMs: 100 },
  revocationList: { ...limits.revocationList, timeoutMs: 100 },
};
const ask = askOutside(registryDefaults);
const asking = (within: VerifyLimits = limits): Verifier => signatureVerifier(within, Date.now, { ask });

async function verify(
  policy: PolicyOptions = {},
  verifier: Verifier = asking(),
  within: AbortSignal = signal,
): Promise<Verification> {
  return await verifier.verify({
    repository: artifact.repository,
    root: artifact.root,
    policy: policyWith({ trusted: [root], ...policy }),
    signal: within,
  });
}

async function refusal(policy: PolicyOptions = {}, verifier?: Verifier): Promise<string> {
  const error: unknown = await verify(policy, verifier).catch((caught: unknown) => caught);
  expect(codeOf(error)).toBe("VerificationFailed");
  return messageOf(error);
}

/** A signing certificate with these extensions, which has signed the artifact. */
async function signWith(
  extensions: CertificateOptions["extensions"] = [],
  { chain = [root], options = {} }: { chain?: readonly TestCertificate[]; options?: CertificateOptions } = {},
): Promise<TestCertificate> {
  const leaf = makeCertificate({ issuer: chain[0] ?? root, extensions, ...options });
  await artifact.refer(notationType, [jwsLayer(artifact.root, [leaf, ...chain])]);
  return leaf;
}

const withOcsp = async (options: OcspOptions = {}): Promise<void> => {
  const leaf = await signWith([ocspServers(server.url("ocsp"))]);
  server.answer("ocsp", ocspResponse(leaf, root, options));
};
const withList = async (
  entries: readonly Revocation[] = [],
  options: ListOptions = {},
  extensions: CertificateOptions["extensions"] = [],
): Promise<TestCertificate> => {
  const leaf = await signWith([listPoints([[server.url("list")]]), ...extensions]);
  const all = entries.map((entry) => ({ ...entry, certificate: leaf }));
  server.answer("list", revocationList(root, all, options));
  return leaf;
};
const other = makeCertificate({ subject: root.subject, ...authority });

interface Scenario {
  readonly arrange: () => Promise<unknown>;
  /** What is wrong; undefined for nothing. */
  readonly problem: RegExp | undefined;
  readonly within?: VerifyLimits;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  "OCSP: good": { arrange: async () => await withOcsp(), problem: undefined },
  "OCSP: revoked": { arrange: async () => await withOcsp({ status: revoked }), problem: revokedText },
  "OCSP: unknown": {
    arrange: async () => await withOcsp({ status: "unknown" }),
    problem: /does not know the certificate/,
  },
  "OCSP: down": {
    arrange: async () => await signWith([ocspServers(server.url("nothing"))]),
    problem: /not known.*404/,
  },
  "OCSP: slow": {
    arrange: async () => {
      await signWith([ocspServers(server.url("ocsp"))]);
      server.answer("ocsp", () => undefined);
    },
    problem: /no whole answer in 0\.1 s/,
    within: impatient,
  },
  "OCSP: dripping": {
    arrange: async () => {
      await signWith([ocspServers(server.url("ocsp"))]);
      server.answer("ocsp", (response) => void response.write("0"));
    },
    problem: /no whole answer in 0\.1 s/,
    within: impatient,
  },
  "OCSP: huge": {
    arrange: async () => {
      await signWith([ocspServers(server.url("ocsp"))]);
      server.answer("ocsp", Buffer.alloc(verifyLimits.ocsp.maxBytes + 1));
    },
    problem: /larger than 20480 bytes/,
  },
  "OCSP: expired": {
    arrange: async () => await withOcsp({ from: past(2 * hour), to: past(hour) }),
    problem: /has expired on/,
  },
  "OCSP: wrong issuer": { arrange: async () => await withOcsp({ signer: other }), problem: /not signed by the issuer/ },
  "OCSP: delegated": {
    arrange: async () => {
      const signer = responder();
      await withOcsp({ signer, certificates: [signer] });
    },
    problem: undefined,
  },
  "list: good": { arrange: async () => await withList(), problem: undefined },
  "list: revoked": { arrange: async () => await withList([revoked]), problem: revokedText },
  "list: down": {
    arrange: async () => await signWith([listPoints([[server.url("nothing")]])]),
    problem: /not known.*404/,
  },
  "list: slow": {
    arrange: async () => {
      await withList();
      server.answer("list", () => undefined);
    },
    problem: /no whole answer in 0\.1 s/,
    within: impatient,
  },
  "list: huge": {
    arrange: async () => {
      await withList();
      server.answer("list", Buffer.alloc(limits.revocationList.maxBytes + 1));
    },
    problem: /larger than 65536 bytes/,
  },
  "list: expired": {
    arrange: async () => await withList([], { from: past(2 * hour), to: past(hour) }),
    problem: /has expired on/,
  },
  "list: wrong issuer": {
    arrange: async () => await withList([], { signer: other }),
    problem: /not signed by the certificate's issuer/,
  },
};

describe.each(Object.entries(scenarios))("%s", (_, { arrange, problem, within }) => {
  beforeEach(async () => void (await arrange()));

  it.each<[string, PolicyOptions]>([
    ["strict", {}],
    ["permissive, enforced", { level: "permissive", override: { revocation: "enforce" } }],
  ])("by %s", async (_, policy) => {
    if (problem === undefined) expect(await verify(policy)).toMatchObject({ result: "verified", warnings: [] });
    else expect(await refusal(policy, asking(within))).toMatch(problem);
  });

  it.each<[string, PolicyOptions]>([
    ["permissive", { level: "permissive" }],
    ["audit", { level: "audit" }],
    ["strict, logged", { override: { revocation: "log" } }],
  ])("by %s", async (_, policy) => {
    const warnings = problem === undefined ? [] : [expect.stringMatching(problem)];
    expect(await verify(policy, asking(within))).toMatchObject({ result: "verified", warnings });
  });

  it("by strict, skipped: nobody is asked", async () => {
    expect(await verify({ override: { revocation: "skip" } })).toMatchObject({ result: "verified", warnings: [] });
    expect(server.asked).toEqual([]);
  });
});

describe("OCSP", () => {
  it.each([
    ["GET", "ocsp"],
    ["POST", "ocsp?query"],
  ])("is asked by %s at /%s", async (method, path) => {
    const leaf = await signWith([ocspServers(server.url(path))]);
    server.answer(path, ocspResponse(leaf, root));
    expect(await verify()).toMatchObject({ result: "verified" });
    const serial = Buffer.from(leaf.certificate.serialNumber, "hex");
    expect(server.asked).toEqual([{ method, path: `/${path}`, serial }]);
  });

  it.each<[string, OcspOptions]>([
    ["named by other hashes", { hash: { oid: "2.16.840.1.101.3.4.2.1", name: "sha256" } }],
    ["of a clock that is ahead a little", { from: new Date(Date.now() + 60_000) }],
    ["with an extension that it need not understand", { extensions: [{ oid: "1.2.3", value: derInteger(1) }] }],
    [
      "revoked after the signature was made, as a signing authority says",
      { status: { ...revoked, invalidity: past(0) } },
    ],
  ])("counts: %s", async (_, options) => {
    const leaf = makeCertificate({ issuer: root, extensions: [ocspServers(server.url("ocsp"))] });
    server.answer("ocsp", ocspResponse(leaf, root, options));
    const scheme = "io.cncf.notary.signingScheme";
    const headers = {
      [scheme]: "notary.x509.signingAuthority",
      "io.cncf.notary.signingTime": undefined,
      "io.cncf.notary.authenticSigningTime": past(hour),
      crit: [scheme, "io.cncf.notary.authenticSigningTime"],
    };
    await artifact.refer(notationType, [coseLayer(artifact.root, [leaf, root], { headers })]);
    expect(await verify({ stores: ["signingAuthority:x"] })).toMatchObject({ result: "verified", warnings: [] });
  });

  it.each<[string, () => OcspOptions, RegExp]>([
    ["an error", () => ({ code: 3 }), /answers tryLater/],
    ["an unknown error", () => ({ code: 99 }), /answers status 99/],
    [
      "another certificate",
      () => ({ about: { certificate: makeCertificate({ issuer: root, serial: 127 }), issuer: root } }),
      /about another certificate/,
    ],
    [
      "another issuer",
      () => ({ about: { certificate: makeCertificate({ issuer: other }), issuer: other } }),
      /about another certificate/,
    ],
    ["no end", () => ({ to: null }), /nextUpdate/],
    ["the future", () => ({ from: new Date(Date.now() + hour) }), /of the future/],
    ["a changed signature", () => ({ changeSignature: (good) => Buffer.concat([good, good]) }), /not signed by/],
    [
      "a critical extension",
      () => ({ extensions: [{ oid: "1.2.3", critical: true, value: derInteger(1) }] }),
      /critical extension 1\.2\.3/,
    ],
    [
      "revoked before the signature was made",
      () => ({ status: { ...revoked, invalidity: past(2 * hour) } }),
      revokedText,
    ],
    [
      "revoked at a time that nobody vouches for",
      () => ({ status: { ...revoked, invalidity: new Date(Date.now() + hour) } }),
      revokedText,
    ],
    ["revoked for no stated reason", () => ({ status: { at: revoked.at } }), /\(unspecified\)/],
  ])("does not count, or counts as revoked: %s", async (_, options, message) => {
    const leaf = makeCertificate({ issuer: root, serial: 5, extensions: [ocspServers(server.url("ocsp"))] });
    await artifact.refer(notationType, [jwsLayer(artifact.root, [leaf, root])]);
    server.answer("ocsp", ocspResponse(leaf, root, options()));
    expect(await refusal()).toMatch(message);
  });

  it.each<[string, () => TestCertificate, RegExp]>([
    ["another purpose", () => responder({ purposes: ["1.3.6.1.5.5.7.3.3"] }), /not for OCSP/],
    ["another issuer", () => responder({ issuer: other }), /whom the issuer has not named/],
    ["an end that is past", () => responder({ notBefore: past(3 * hour), notAfter: past(hour) }), /not valid now/],
  ])("does not count by a responder with %s", async (_, make, message) => {
    const signer = make();
    await withOcsp({ signer, certificates: [signer] });
    expect(await refusal()).toMatch(message);
  });

  it("does not count by a responder whose certificate does not come along", async () => {
    await withOcsp({ signer: responder() });
    expect(await refusal()).toMatch(/not signed by/);
  });

  it("counts by a responder without no-check as long as no list names it", async () => {
    const signer = responder({ extensions: [listPoints([[server.url("responders")]])] });
    await withOcsp({ signer, certificates: [signer] });
    expect(await refusal()).toMatch(/responders: .*404/);
    server.answer("responders", revocationList(root, []));
    expect(await verify()).toMatchObject({ result: "verified" });
    server.answer("responders", revocationList(root, [{ ...revoked, certificate: signer }]));
    expect(await refusal()).toMatch(/signed with a certificate that was revoked/);
  });

  it("is asked of the next server where one fails", async () => {
    const leaf = await signWith([ocspServers("ldap://x", "https://x.test", server.url("down"), server.url("ocsp"))]);
    server.answer("ocsp", ocspResponse(leaf, root));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it("is preferred to lists, which are asked where it says nothing", async () => {
    const leaf = await signWith([ocspServers(server.url("ocsp")), listPoints([[server.url("list")]])]);
    server.answer("list", revocationList(root, [{ ...revoked, certificate: leaf }]));
    server.answer("ocsp", ocspResponse(leaf, root));
    expect(await verify()).toMatchObject({ result: "verified" });
    server.answer("ocsp", ocspResponse(leaf, root, { status: "unknown" }));
    expect(await refusal()).toMatch(revokedText);
    server.answer("list", revocationList(root, []));
    expect(await verify()).toMatchObject({ result: "verified" });
    server.answer("list", Buffer.from("hello"));
    expect(await refusal()).toMatch(/does not know the certificate.*list: /);
  });
});

describe("lists", () => {
  const scope = (...parts: readonly Buffer[]) => ({
    extensions: [{ oid: "2.5.29.28", critical: true, value: sequence(...parts) }],
  });
  const yes = Buffer.from([0xff]);
  const hold: Revocation = { at: past(2 * hour), reason: 6 };

  it("without an address cannot be asked, so that nothing can be revoked", async () => {
    await signWith([{ oid: "2.5.29.31", value: sequence() }]);
    expect(await verify()).toMatchObject({ result: "verified", warnings: [] });
  });

  it.each<[string, () => ListOptions]>([
    ["of the same point", () => scope(der(0xa0, names([server.url("list")])))],
    ["of certificates like this one", () => scope(der(0x81, yes))],
    ["whose extension need not be understood", () => ({ extensions: [{ oid: "1.2.3", value: derInteger(1) }] })],
  ])("count: %s", async (_, options) => {
    await withList([], options());
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it.each<[string, () => ListOptions, RegExp]>([
    ["of another point", () => scope(der(0xa0, names(["http://other.test/list"]))), /another distribution point/],
    ["of authorities", () => scope(der(0x82, yes)), /another kind of certificates/],
    ["of attribute certificates", () => scope(der(0x85, yes)), /another kind of certificates/],
    ["of several issuers", () => scope(der(0x84, yes)), /several issuers/],
    [
      "a delta list",
      () => ({ extensions: [{ oid: "2.5.29.27", critical: true, value: derInteger(1) }] }),
      /delta list/,
    ],
    [
      "with a critical extension",
      () => ({ extensions: [{ oid: "1.2.3", critical: true, value: derInteger(1) }] }),
      /critical extension 1\.2\.3/,
    ],
    ["without an end", () => ({ to: null }), /nextUpdate/],
    ["of the future", () => ({ from: new Date(Date.now() + hour) }), /of the future/],
    ["with a changed signature", () => ({ changeSignature: (good) => Buffer.concat([good, good]) }), /not signed by/],
    ["with broken entries", () => ({ entries: [Buffer.from("300130", "hex")] }), /list: /],
    [
      "with entries without a number",
      () => ({ entries: [Buffer.from("30030101ff", "hex")] }),
      /entry without a number/,
    ],
    ["with a number outside of its entry", () => ({ entries: [Buffer.from("3002020530", "hex")] }), /list: /],
  ])("do not count: %s", async (_, options, message) => {
    await withList([], options());
    expect(await refusal()).toMatch(message);
  });

  it("do not count by another issuer, or by one that may not sign them", async () => {
    const stranger = makeCertificate({ subject: { CN: "stranger" }, ...authority });
    await withList();
    server.answer("list", revocationList(stranger, [], { signer: root }));
    expect(await refusal()).toMatch(/of another issuer/);
    const plain = makeCertificate({ subject: { CN: "plain" }, ca: true });
    await signWith([listPoints([[server.url("plain")]])], { chain: [plain] });
    server.answer("plain", revocationList(plain, []));
    expect(await refusal({ trusted: [plain] })).toMatch(/may not sign lists/);
  });

  it.each<[string, readonly Revocation[], boolean]>([
    ["on hold", [hold], false],
    ["on hold and taken back", [hold, { at: past(hour), reason: 8 }], true],
    ["taken back and on hold again", [{ at: past(3 * hour), reason: 8 }, hold], false],
    ["on hold, taken back and revoked", [hold, { at: past(hour), reason: 8 }, revoked], false],
    ["taken back, which it never was", [{ at: past(hour), reason: 8 }], true],
  ])("know certificates that are %s", async (_, entries, isGood) => {
    await withList(entries);
    if (isGood) expect(await verify()).toMatchObject({ result: "verified" });
    else expect(await refusal()).toMatch(/was revoked on/);
  });

  it("of each point are asked, at the first address that answers", async () => {
    const leaf = await signWith([
      listPoints([["ldap://x", server.url("down"), server.url("one")], [server.url("two")]]),
    ]);
    server.answer("one", revocationList(root, []));
    expect(await refusal()).toMatch(/two: .*404/);
    server.answer("two", revocationList(root, []));
    expect(await verify()).toMatchObject({ result: "verified" });
    server.answer("two", revocationList(root, [{ ...revoked, certificate: leaf }]));
    expect(await refusal()).toMatch(revokedText);
  });

  it("are large and looked through in turns", async () => {
    const certificate = makeCertificate({ issuer: root, serial: 3 });
    const many = Array.from({ length: 1500 }, () => ({ at: revoked.at, certificate }));
    const leaf = await signWith([listPoints([[server.url("list")]])], { options: { serial: 9 } });
    server.answer("list", revocationList(root, many));
    expect(await verify()).toMatchObject({ result: "verified" });
    server.answer("list", revocationList(root, [...many, { ...revoked, certificate: leaf }]));
    expect(await refusal()).toMatch(revokedText);
  });

  describe("that name a delta list", () => {
    const freshest = "2.5.29.46";
    const delta = (since: number, options: ListOptions = {}): ListOptions => ({
      number: 2,
      ...options,
      extensions: [{ oid: "2.5.29.27", critical: true, value: derInteger(since) }, ...(options.extensions ?? [])],
    });
    const withDelta = async (entries: readonly Revocation[] = []): Promise<TestCertificate> =>
      await withList(entries, { extensions: [listPoints([[server.url("delta")]], freshest)] });

    it("need it", async () => {
      await withDelta();
      expect(await refusal()).toMatch(/delta: .*404/);
    });

    it("are completed by it", async () => {
      const certificate = await withDelta([hold]);
      server.answer("delta", revocationList(root, [], delta(1)));
      expect(await refusal()).toMatch(/certificateHold/);
      server.answer("delta", revocationList(root, [{ at: hold.at, reason: 8, certificate }], delta(1)));
      expect(await verify()).toMatchObject({ result: "verified" });
      server.answer("delta", revocationList(root, [{ ...revoked, certificate }], delta(1)));
      expect(await refusal()).toMatch(revokedText);
    });

    it.each<[string, ListOptions, RegExp]>([
      ["no delta list", { number: 2 }, /delta: /],
      ["one for a later list", delta(2), /is for the list 2 or a later one/],
      ["one that is not newer", delta(1, { number: 1 }), /is not newer/],
      ["one that has expired", delta(1, { from: past(2 * hour), to: past(hour) }), /has expired/],
      ["one by somebody else", delta(1, { signer: other }), /not signed by/],
      [
        "one of other certificates",
        delta(1, { extensions: [{ oid: "2.5.29.28", critical: true, value: sequence(der(0x81, yes)) }] }),
        /of other certificates/,
      ],
    ])("do not count with %s", async (_, options, message) => {
      await withDelta();
      server.answer("delta", revocationList(root, [], options));
      expect(await refusal()).toMatch(message);
    });

    it("may leave it to the certificate to do so", async () => {
      const certificate = await withList([], {}, [listPoints([[server.url("delta")]], freshest)]);
      server.answer("delta", revocationList(root, [{ ...revoked, certificate }], delta(1)));
      expect(await refusal()).toMatch(revokedText);
    });
  });
});

describe("who is asked about", () => {
  const between = (url: string): TestCertificate =>
    makeCertificate({ subject: { CN: "between" }, issuer: root, ...authority, extensions: [ocspServers(url)] });

  it("is every authority but the root, from above", async () => {
    const issuing = between(server.url("between"));
    const leaf = await signWith([ocspServers(server.url("leaf"))], { chain: [issuing, root] });
    server.answer("leaf", ocspResponse(leaf, issuing));
    server.answer("between", ocspResponse(issuing, root, { status: revoked }));
    expect(await refusal()).toMatch(/CN=between was revoked/);
    expect(server.asked.map(({ path }) => path)).toEqual(["/between"]);
    server.answer("between", ocspResponse(issuing, root));
    expect(await verify()).toMatchObject({ result: "verified" });
  });

  it("is nobody whom no trusted authority has issued: their addresses are a stranger's", async () => {
    await signWith([ocspServers(server.url("ocsp"))]);
    expect(await refusal({ trusted: [other] })).toMatch(/not by any of the trusted/);
    expect(await verify({ level: "audit", trusted: [other] })).toMatchObject({
      result: "ignored",
      warnings: [expect.stringMatching(/authenticity/), expect.stringMatching(/revoked is not asked/)],
    });
    expect(await verify({ level: "audit", stores: ["signingAuthority:x"] })).toMatchObject({ result: "ignored" });
    expect(server.asked).toEqual([]);
  });

  it("is nobody above the trusted certificate: who shows the chain may have chosen them", async () => {
    const issuing = between(server.url("between"));
    const leaf = await signWith([ocspServers(server.url("leaf"))], { chain: [issuing, root] });
    server.answer("leaf", ocspResponse(leaf, issuing));
    expect(await verify({ trusted: [leaf] })).toMatchObject({ result: "verified" });
    expect(server.asked.map(({ path }) => path)).toEqual(["/leaf"]);
  });

  it("is nobody before the signature has proved to be one of the artifact", async () => {
    const leaf = makeCertificate({ issuer: root, extensions: [ocspServers(server.url("ocsp"))] });
    await artifact.refer(notationType, [jwsLayer(artifact.root, [leaf, root], { key: ecKeys().privateKey })]);
    await refusal({ level: "audit" });
    expect(server.asked).toEqual([]);
  });
});

describe("answers", () => {
  it("are kept for all that the same certificate has signed, and asked for anew when they end", async () => {
    let now = Date.now();
    const verifier = signatureVerifier(limits, () => now, { ask });
    await withOcsp({ to: new Date(now + hour / 2) });
    const end = await verify({}, verifier);
    expect(end.validUntil).toBeLessThanOrEqual(now + hour / 2);
    expect(end.validUntil).toBeGreaterThan(now + hour / 2 - 2000);
    await verify({ identities: ["x509.subject: C=US, ST=WA, O=Notary"] }, verifier);
    expect(server.asked).toHaveLength(1);
    now += hour / 2 + 1;
    expect(await refusal({}, verifier)).toMatch(/has expired/);
    expect(server.asked).toHaveLength(2);
  });

  it("are not kept where they say nothing", async () => {
    const verifier = asking();
    await withOcsp({ status: "unknown" });
    await refusal({}, verifier);
    await refusal({}, verifier);
    expect(server.asked).toHaveLength(2);
  });

  it("that are kept say nothing of another issuer's certificates", async () => {
    const verifier = asking();
    await withList();
    await verify({}, verifier);
    const twin = makeCertificate({ subject: root.subject, ...authority });
    await artifact.refer(notationType, [
      jwsLayer(artifact.root, [
        makeCertificate({ issuer: twin, extensions: [listPoints([[server.url("list")]])] }),
        twin,
      ]),
    ]);
    expect(await refusal({ trusted: [twin] }, verifier)).toMatch(/not signed by the certificate's issuer/);
  });

  it("that may be large are read a few at once, and once where several ask for the same", async () => {
    const verifier = asking();
    await withList();
    const held: ServerResponse[] = [];
    server.answer("list", (response) => void held.push(response));
    const work = new AbortController();
    const all = Array.from({ length: 8 }, () => verify({}, verifier));
    await expect.poll(() => held.length).toBe(limits.listsAtOnce);
    const given = verify({}, verifier, work.signal);
    setTimeout(() => work.abort(), 50);
    expect(codeOf(await given.catch((error: unknown) => error))).toBe("Aborted");
    for (const response of held) response.end(revocationList(root, []));
    expect((await Promise.all(all)).map(({ result }) => result)).toEqual(all.map(() => "verified"));
    expect(server.asked).toHaveLength(limits.listsAtOnce);
  });

  it("are refused from forbidden addresses, also where a server leads there", async () => {
    await signWith([ocspServers("http://169.254.169.254/latest", "http://[fe80::1]/x", server.url("away"))]);
    server.answer("away", (response) => void response.writeHead(302, { location: "http://169.254.169.254/" }).end());
    const message = await refusal();
    expect(message.match(/link-local or metadata address/g)).toHaveLength(3);
  });

  it("are waited for no longer than the work itself", async () => {
    await signWith([ocspServers(server.url("ocsp"))]);
    const work = new AbortController();
    server.answer("ocsp", () => work.abort());
    const verifying = asking().verify({
      repository: artifact.repository,
      root: artifact.root,
      policy: policyWith({ trusted: [root], level: "permissive" }),
      signal: work.signal,
    });
    await expect(verifying).rejects.toMatchObject({ code: "Aborted" });
  });
});
