import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Descriptor } from "../src/oci/types.ts";
import type { TestCertificate } from "../src/testing/signatures/certificates.ts";
import { legacyLayer, signWith, simpleSigning } from "../src/testing/signatures/cosign-signatures.ts";
import { jwsLayer } from "../src/testing/signatures/notation-signatures.ts";
import { TestSigstore } from "../src/testing/signatures/sigstore.ts";
import { download, type PublishedArtifact } from "./artifact.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { crane, digestOfTag } from "./crane.ts";
import { condition, type KubeObject } from "./kube.ts";
import { OpensslAuthority } from "./openssl-authority.ts";
import { type PrivateSigstore, type SignOptions, startPrivateSigstore } from "./private-sigstore.ts";
import { digestOf, pushArtifact, pushIndex } from "./push.ts";
import { type Registry } from "./registry.ts";
import {
  artifactRepository,
  externalArtifactRef,
  isCondition,
  publishedArtifact,
  readyRepository,
  reconcileNow,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { secret } from "./secrets.ts";
import { startStrata, type Strata, strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const fixture = async (name: string): Promise<string> =>
  await readFile(new URL(`../src/testing/fixtures/${name}`, import.meta.url), "utf8");
const newKey = (): string =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).publicKey;

let plane: ControlPlane;
let registry: Registry;
/** The key of the artifacts that cosign has signed. */
let cosignKey: string;
/** Stands for the public Sigstore as well. */
let sigstore: PrivateSigstore;
let controller: Strata;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  cosignKey = await fixture("cosign.pub");
  // The fixtures' certificate was valid for one day; notation's policy decides whether that matters.
  const verification = { level: "strict", override: { authenticTimestamp: "log" } };
  const policy = {
    name: "all",
    registryScopes: ["*"],
    signatureVerification: verification,
    trustStores: ["ca:fixtures"],
    trustedIdentities: ["x509.subject: C=US, ST=WA, O=Notary"],
  };
  await plane.admin.create(secret("cosign", { "cosign.pub": cosignKey }));
  await plane.admin.create(secret("several", { "other.pub": newKey(), "cosign.pub": cosignKey }));
  await plane.admin.create(secret("wrong", { "cosign.pub": newKey() }));
  await plane.admin.create(
    secret("notation", {
      "trustpolicy.json": JSON.stringify({ version: "1.0", trustPolicies: [policy] }),
      "ca.crt": await fixture("notation.crt"),
    }),
  );
  sigstore = await startPrivateSigstore(workspace);
  await plane.admin.create(secret("logged-root", { "trusted_root.json": sigstore.roots.logged }));
  await plane.admin.create(secret("unlogged-root", { "trusted_root.json": sigstore.roots.unlogged }));
  controller = await startStrata(workspace, plane, { flags: ["--sigstore-tuf=true", ...sigstore.tufFlags] });
});

const signed = (name: string, path: string, verify: Spec, spec: Spec = {}): KubeObject =>
  artifactRepository(name, { registry, path }, { ref: { tag: "1.0.0" }, verify, ...spec });
const byKey = (name: string): Spec => ({ provider: "cosign", secretRef: { name } });
const ready = async (name: string): Promise<PublishedArtifact> =>
  (await readyRepository(plane, name)).status?.["artifact"] as PublishedArtifact;
const refused = async (name: string): Promise<KubeObject> =>
  await plane.admin.waitFor(
    repositoryRef(name),
    "refused",
    (object) =>
      isCondition(object, "SourceVerified", "False", "VerificationError") &&
      isCondition(object, "Ready", "False", "VerificationError"),
  );

async function expectNothing(name: string): Promise<void> {
  const { status } = await refused(name);
  expect([status?.["artifact"], status?.["published"]]).toEqual([undefined, undefined]);
  expect(await plane.admin.find(externalArtifactRef(name))).toBeUndefined();
}

/** The artifact that `name` had is what it still has, in its status, as an ExternalArtifact and as a file. */
async function expectStill(name: string, artifact: PublishedArtifact): Promise<void> {
  expect((await refused(name)).status?.["artifact"]).toEqual(artifact);
  expect(await publishedArtifact(plane, name)).toEqual(artifact);
  expect((await download(artifact)).length).toBe(artifact.size);
}

describe("a good signature", () => {
  it.each<[string, string, Spec, Spec?]>([
    ["legacy", "signed/legacy", byKey("cosign")],
    ["bundle", "signed/bundle", byKey("cosign")],
    ["index", "signed/index", byKey("cosign"), { indexSelector: { platform: "linux/arm64" } }],
    ["any-key", "signed/bundle", byKey("several")],
    ["notation-jws", "signed/notation-jws", { provider: "notation", secretRef: { name: "notation" } }],
    ["notation-cose", "signed/notation-cose", { provider: "notation", secretRef: { name: "notation" } }],
  ])("is told of on both objects: %s", async (name, path, verify, spec) => {
    await plane.admin.create(signed(name, path, verify, spec));
    const object = await readyRepository(plane, name);
    const verified = condition(object, "SourceVerified");
    expect(verified).toMatchObject({
      status: "True",
      reason: "Succeeded",
      message: expect.stringContaining(String(verify["provider"])),
    });
    expect(condition(await plane.admin.get(externalArtifactRef(name)), "SourceVerified")).toMatchObject({
      status: "True",
      message: verified?.message,
    });
    expect((await download(await publishedArtifact(plane, name))).length).toBeGreaterThan(0);
  });

  it("by a certificate is judged with the trusted root and the identity", async () => {
    const sigstore = new TestSigstore();
    const digest = await crane(["digest", `${registry.host}/flux/app:1.0.0`]);
    await crane(["copy", `${registry.host}/flux/app:1.0.0`, `${registry.host}/keyless/app:1.0.0`]);
    const [payload, leaf] = [
      simpleSigning(digest),
      sigstore.leaf({ issuer: "https://issuer.test", subject: "https://ci.test/app/release" }),
    ];
    const signature = signWith(leaf.privateKey)(payload);
    const { promised, promise } = sigstore.logEntry(payload, signature, leaf);
    const { bytes, ...layer } = legacyLayer(payload, signature, {
      "dev.sigstore.cosign/certificate": leaf.certificate.toString(),
      "dev.sigstore.cosign/bundle": JSON.stringify({ SignedEntryTimestamp: promise, Payload: promised }),
    });
    await pushArtifact(registry, "keyless/app", `${digest.replace(":", "-")}.sig`, {
      layers: [{ ...layer, bytes: Buffer.from(bytes) }],
    });
    await plane.admin.create(secret("root", { "trusted_root.json": sigstore.trustedRoot() }));
    const by = (subject: string): Spec => ({
      provider: "cosign",
      trustedRootSecretRef: { name: "root" },
      matchOIDCIdentity: [{ issuer: "^https://issuer\\.test$", subject }],
    });
    await plane.admin.create(signed("keyless", "keyless/app", by("^https://ci\\.test/app/.*$")));
    expect(condition(await readyRepository(plane, "keyless"), "SourceVerified")?.message).toContain(
      "https://ci.test/app/release",
    );
    await plane.admin.create(signed("keyless-other", "keyless/app", by("^https://ci\\.test/other/.*$")));
    await expectNothing("keyless-other");
  });
});

describe("what cosign signs with Rekor v2 and a timestamp authority", () => {
  const identities = (): Spec => ({
    matchOIDCIdentity: [{ issuer: sigstore.issuer.replaceAll(".", "\\."), subject: ".*/app/release" }],
  });
  const signedCopy = async (path: string, tag: string, options: SignOptions = {}): Promise<string> => {
    await crane(["copy", `${registry.host}/flux/app:${tag}`, `${registry.host}/${path}:${tag}`]);
    const digest = await crane(["digest", `${registry.host}/${path}:${tag}`]);
    await sigstore.sign(`${registry.host}/${path}@${digest}`, options);
    return digest;
  };

  it.each<[string, SignOptions, string]>([
    ["keyless-v2", {}, "logged-root"],
    ["keyless-timestamp", { isLogged: false }, "unlogged-root"],
  ])("is believed by its trusted root: %s", async (name, options, root) => {
    await signedCopy(name, "1.0.0", options);
    const verify = { ...identities(), trustedRootSecretRef: { name: root } };
    await plane.admin.create(signed(name, name, verify));
    expect(condition(await readyRepository(plane, name), "SourceVerified")?.message).toContain(sigstore.subject);
  });

  it("is refused with a timestamp alone where the root lists a log, and by the root of another", async () => {
    await signedCopy("timestamp-only", "1.0.0", { isLogged: false });
    const verify = { ...identities(), trustedRootSecretRef: { name: "logged-root" } };
    await plane.admin.create(signed("timestamp-only", "timestamp-only", verify));
    expect(condition(await refused("timestamp-only"), "Ready")?.message).toContain("in no transparency log");
    await plane.admin.create(secret("another", { "trusted_root.json": new TestSigstore().newerRoot() }));
    const another = { ...identities(), trustedRootSecretRef: { name: "another" } };
    await plane.admin.create(signed("another-sigstore", "keyless-v2", another));
    await expectNothing("another-sigstore");
  });

  it("is judged by the root that the mirror keeps by TUF, in controller and command line", async () => {
    await signedCopy("by-mirror", "1.0.0");
    await plane.admin.create(signed("by-mirror", "by-mirror", identities()));
    await ready("by-mirror");
    expect(sigstore.mirrorRequests).toContain("timestamp.json");
    const metrics = await controller.metrics();
    expect(metrics).toContain('strata_sigstore_root_refreshes_total{result="success"} 1');
    expect(metrics).toMatch(/^strata_sigstore_root_refreshed_timestamp_seconds 1\d{9}/m);
    const flags = ["--issuer", sigstore.issuer, "--subject", ".*"];
    const args = ["verify", `oci://${registry.host}/by-mirror:1.0.0`, "--insecure", ...flags];
    const cache = { XDG_CACHE_HOME: await workspace.directory("cache") };
    expect(await strata([...args, ...sigstore.tufFlags], cache)).toMatchObject({ code: 0, stderr: "" });
    expect(await strata(args, cache)).toMatchObject({ code: 3 });
  });

  it("is taken once it is as old as minAge says, and until then the version before it stays", async () => {
    const [name, ageMs] = ["aging", 600_000];
    await signedCopy(name, "1.0.0", { at: new Date(Date.now() - 2 * ageMs) });
    await plane.admin.create(signed(name, name, { ...identities(), minAge: "10m" }, { ref: { semver: "1.x" } }));
    const first = await ready(name);
    expect(first.revision).toMatch(/^1\.0\.0@/);
    const at = new Date(Date.now() - ageMs + 8000);
    const digest = await signedCopy(name, "1.1.0", { at });
    const waiting = await reconcileNow(plane, name);
    const until = new Date(Math.floor((at.getTime() + ageMs) / 1000) * 1000).toISOString().replace(".000", "");
    expect(isCondition(waiting, "Ready", "True")).toBe(true);
    expect(waiting.status?.["artifact"]).toEqual(first);
    expect(condition(waiting, "ArtifactOutdated")).toMatchObject({
      status: "True",
      reason: "TooYoung",
      message: expect.stringMatching(new RegExp(`^1\\.1\\.0@${digest} waits .* at ${until}$`)) as unknown,
    });
    const isNewer = ({ status }: KubeObject): boolean =>
      (status?.["artifact"] as PublishedArtifact | undefined)?.revision.startsWith("1.1.0@") === true;
    const newer = await plane.admin.waitFor(repositoryRef(name), "the newer version", isNewer, 30_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
    expect(condition(newer, "ArtifactOutdated")).toBeUndefined();
  });
});

describe("a notation signature whose authority says what it has revoked", () => {
  let authority: OpensslAuthority;

  /** Signed by a certificate of the authority, and timestamped. */
  async function sign(name: string, signer: TestCertificate): Promise<void> {
    const path = `notarized/${name}`;
    await crane(["copy", `${registry.host}/flux/app:1.0.0`, `${registry.host}/${path}:1.0.0`]);
    const accept = "application/vnd.oci.image.manifest.v1+json";
    const answer = await fetch(`${registry.url}/v2/${path}/manifests/1.0.0`, { headers: { accept } });
    const manifest = Buffer.from(await answer.arrayBuffer());
    const root: Descriptor = { mediaType: accept, digest: digestOf(manifest), size: manifest.length };
    const issuer = { ...signer, certificate: new X509Certificate(await authority.root()) };
    const { bytes, ...layer } = jwsLayer(root, [signer, issuer], { timestamp: (data) => authority.timestamp(data) });
    const artifactType = "application/vnd.cncf.notary.signature";
    const layers = [{ ...layer, bytes: Buffer.from(bytes) }];
    const referrer = await pushArtifact(registry, path, undefined, { artifactType, layers, subject: root });
    await pushIndex(registry, path, root.digest.replace(":", "-"), { manifests: [referrer] });
  }

  const byAuthority = { provider: "notation", secretRef: { name: "authority" } };

  beforeAll(async () => {
    authority = await OpensslAuthority.start(workspace);
    const policy = {
      name: "all",
      registryScopes: ["*"],
      signatureVerification: { level: "strict" },
      trustStores: ["ca:notary", "tsa:notary"],
      trustedIdentities: ["x509.subject: C=US, ST=WA, O=Notary"],
    };
    const document = JSON.stringify({ version: "1.0", trustPolicies: [policy] });
    await plane.admin.create(secret("authority", { "trustpolicy.json": document, "ca.crt": await authority.root() }));
  });

  it.each([
    ["asked", "/ocsp"],
    ["listed", "/nothing"],
  ])("is good by OCSP, or by the list: %s", async (name, path) => {
    const servers = { ocsp: `${authority.url}${path}`, list: `${authority.url}/list/${name}` };
    await sign(name, await authority.issue(name, "signer", servers));
    await plane.admin.create(signed(name, `notarized/${name}`, byAuthority));
    expect(condition(await readyRepository(plane, name), "SourceVerified")?.message).toContain(`CN=${name}`);
  });

  it.each([
    ["withdrawn", "/ocsp"],
    ["delisted", "/nothing"],
  ])("is refused once its certificate was revoked: %s", async (name, path) => {
    const servers = { ocsp: `${authority.url}${path}`, list: `${authority.url}/list/${name}` };
    await sign(name, await authority.issue(name, "signer", servers));
    await authority.revoke(name);
    await plane.admin.create(signed(name, `notarized/${name}`, byAuthority));
    await expectNothing(name);
    const message = condition(await refused(name), "SourceVerified")?.message;
    expect(message).toMatch(new RegExp(`CN=${name} was revoked on .* \\(keyCompromise\\)`));
  });

  it("is refused where nobody answers", async () => {
    const servers = { ocsp: `${authority.url}/nothing`, list: `${authority.url}/nothing` };
    await sign("unasked", await authority.issue("unasked", "signer", servers));
    await plane.admin.create(signed("unasked", "notarized/unasked", byAuthority));
    await expectNothing("unasked");
    expect(condition(await refused("unasked"), "SourceVerified")?.message).toContain("is not known");
  });

  it("outlives its certificate by a timestamp, which also has an age", async () => {
    const notAfter = new Date(Date.now() + 5000);
    await sign("brief", await authority.issue("brief", "signer", { ocsp: `${authority.url}/ocsp`, notAfter }));
    await setTimeout(Math.max(0, notAfter.getTime() + 1000 - Date.now()));
    await plane.admin.create(signed("brief", "notarized/brief", byAuthority));
    await ready("brief");
    await plane.admin.create(signed("young", "notarized/brief", { ...byAuthority, minAge: "72h" }));
    await plane.admin.waitFor(
      repositoryRef("young"),
      "too young",
      (object) => condition(object, "Ready")?.message?.includes("verify.minAge lets it be taken at") ?? false,
    );
  });
});

describe("nothing is published", () => {
  it.each<[string, string, Spec]>([
    ["another-key", "signed/bundle", byKey("wrong")],
    ["another-key-legacy", "signed/legacy", byKey("wrong")],
    ["unsigned", "flux/app", byKey("cosign")],
    ["keys-for-notation", "signed/notation-jws", byKey("cosign")],
    ["notation-for-keys", "signed/bundle", { provider: "notation", secretRef: { name: "notation" } }],
    ["public-sigstore", "signed/bundle", { provider: "cosign" }],
  ])("of %s", async (name, path, verify) => {
    await plane.admin.create(signed(name, path, verify));
    await expectNothing(name);
  });

  it("of an artifact under another's signature", async () => {
    const [good, bad] = await Promise.all(
      ["signed/legacy:1.0.0", "flux/app:1.1.0"].map((reference) => crane(["digest", `${registry.host}/${reference}`])),
    );
    await crane(["copy", `${registry.host}/flux/app:1.1.0`, `${registry.host}/replayed/app:1.0.0`]);
    await crane([
      "copy",
      `${registry.host}/signed/legacy:${good?.replace(":", "-")}.sig`,
      `${registry.host}/replayed/app:${bad?.replace(":", "-")}.sig`,
    ]);
    await plane.admin.create(signed("replayed", "replayed/app", byKey("cosign")));
    await expectNothing("replayed");
  });

  it("until the right key is in the Secret", async () => {
    await plane.admin.create(secret("late", { "cosign.pub": newKey() }));
    await plane.admin.create(signed("late", "signed/bundle", byKey("late")));
    await expectNothing("late");
    await plane.admin.apply(secret("late", { "cosign.pub": cosignKey }));
    await ready("late");
  });
});

describe("the last good artifact stays", () => {
  it("when its key is taken away", async () => {
    await plane.admin.create(secret("revoked", { "cosign.pub": cosignKey }));
    await plane.admin.create(signed("revoked", "signed/legacy", byKey("revoked")));
    const artifact = await ready("revoked");
    await plane.admin.apply(secret("revoked", { "cosign.pub": newKey() }));
    await expectStill("revoked", artifact);
  });

  it("when its tag is moved onto what nobody has signed, and no alias follows", async () => {
    const [path, target] = ["moving/app", "pushed/moving"];
    const digest = await crane(["digest", `${registry.host}/signed/legacy:1.0.0`]);
    for (const tag of ["1.0.0", `${digest.replace(":", "-")}.sig`])
      await crane(["copy", `${registry.host}/signed/legacy:${tag}`, `${registry.host}/${path}:${tag}`]);
    const publish = {
      externalArtifact: {},
      oci: { url: `oci://${registry.host}/${target}`, insecure: true, tags: ["stable"] },
    };
    await plane.admin.create(signed("moving", path, byKey("cosign"), { publish }));
    const [artifact, pushed] = [await ready("moving"), await digestOfTag(`${registry.host}/${target}:stable`)];
    await crane(["copy", `${registry.host}/flux/app:1.1.0`, `${registry.host}/${path}:1.0.0`]);
    const object = await reconcileNow(plane, "moving");
    expect(condition(object, "ArtifactOutdated")).toMatchObject({ status: "True" });
    await expectStill("moving", artifact);
    expect(pushed).toBeDefined();
    expect(await digestOfTag(`${registry.host}/${target}:stable`)).toBe(pushed);
    await crane(["tag", `${registry.host}/${path}@${digest}`, "1.0.0"]);
    expect(isCondition(await reconcileNow(plane, "moving"), "SourceVerified", "True")).toBe(true);
    expect(await ready("moving")).toEqual(artifact);
  });
});
