import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DERIVATION_TYPE, derivationSchema, type Derivation } from "../../api/v1beta1/derivation.ts";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { verifyLimits } from "../config.ts";
import { bytesFrom } from "../copy/transfer.ts";
import { CodedError } from "../errors.ts";
import type { SharedRepository } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import { fetchAll, fetchManifest } from "../oci/fetch-all.ts";
import { readReferrer } from "../oci/referrer.ts";
import type { Descriptor, Digest, Manifest } from "../oci/types.ts";
import type { Identified } from "../pipeline/object.ts";
import { parseObject } from "../pipeline/spec.ts";
import type { Artifact, ArtifactStore } from "../store/store.ts";
import { testRepository } from "../testing/registry/client.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { openTestStore } from "../testing/store.ts";
import { cosignKeyPolicy } from "../verify/policy.ts";
import { signatureVerifier } from "../verify/signature-verifier.ts";
import { ociPublisher } from "./oci-publisher.ts";
import type { OciPublisher, Origin, Published } from "./port.ts";

const signal = new AbortController().signal;
const key = { namespace: "apps", name: "app" };
const pem = (privateKey: KeyObject): string => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });

let dir: string;
let registry: TestRegistry;
let store: ArtifactStore;
let secrets: Map<string, ReadonlyMap<string, Buffer>>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-attach-"));
  registry = await startRegistry();
  store = await openTestStore(join(dir, "data"));
  secrets = new Map([["signing", new Map([["cosign.key", Buffer.from(pem(pair.privateKey))]])]]);
});
afterEach(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

/** As another process would make it: it remembers nothing. */
function publisher(): OciPublisher {
  const reference = { kind: "registry", registry: registry.host, repository: "published/app" } as const;
  return ociPublisher(
    {
      openTarget: () => Promise.resolve({ reference, repository: repository() }),
      signingSecret: (name) => {
        const values = secrets.get(name);
        return values ? Promise.resolve(values) : Promise.reject(new CodedError("SecretNotFound", `no Secret ${name}`));
      },
    },
    store,
  );
}

const opened = new Map<string, SharedRepository>();
/** Through one client for each registry. */
function at(path: string): SharedRepository {
  const name = `${registry.host}/${path}`;
  const found = opened.get(name) ?? testRepository(registry, path);
  opened.set(name, found);
  return found;
}
const repository = () => at("published/app");

function ownerWith(oci: Readonly<Record<string, unknown>>, uid = "1"): Identified {
  const publish = { oci: { url: `oci://${registry.host}/published/app`, tags: ["stable"], ...oci } };
  const object = parseObject({
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: key,
    spec: { url: "oci://r.example/app", interval: "1m", publish },
  });
  return { key, uid, generation: 1, object };
}
const signing = { sign: { secretRef: { name: "signing" } } };

async function stored(content: string): Promise<Artifact> {
  const [path, digest] = [join(dir, "staged"), sha256Of(content)];
  await writeFile(path, content);
  return await store.publish(
    {
      owner: { kind: "ArtifactRepository", ...key },
      blob: { path, digest, size: content.length, contentDigest: digest, verbatim: true },
      revision: `1.0.0@${digest}`,
      metadata: {},
    },
    signal,
  );
}

function derivation(changes: Partial<Derivation> = {}): Derivation {
  return {
    builder: { name: "strata", version: "1" },
    upstream: { url: "oci://r.example/app", tag: "1.0.0", digest: sha256Of("up"), mediaType: "a/b" },
    selection: { spec: {}, operation: "Copy", layerCount: 0, layers: [] },
    contentDigest: sha256Of("content"),
    ...changes,
  };
}

const originOf = (changes: Partial<Origin> = {}): Origin => ({
  derivation: derivation(),
  repository: at("upstream/app"),
  place: { registry: registry.host, repository: "upstream/app" },
  subjects: [],
  ...changes,
});

async function push(
  by: OciPublisher,
  owner: Identified,
  artifact: Artifact,
  { previous = [], origin = originOf() }: { previous?: readonly PublishedStatus[]; origin?: Origin } = {},
): Promise<Published> {
  const step = { owner, artifact, sourceVerified: undefined, previous, layer: undefined, origin };
  return await by.publish({ ...step, transfer: async (_, work) => await work() }, signal);
}

const isThere = (digest: string): boolean => registry.store.manifest("published/app", digest) !== undefined;
const referrersOf = async (digest: string): Promise<Descriptor[]> =>
  await Promise.all(
    (await repository().referrers(digest as Digest, signal)).map(
      async (listed) => await readReferrer(repository(), listed, { maxManifestBytes: 1e6 }, signal),
    ),
  );
const predicatesOf = (entries: readonly Descriptor[]): string[] =>
  entries.map(({ annotations }) => annotations?.["dev.sigstore.bundle.predicateType"] ?? "none").toSorted();
const types = ["https://sigstore.dev/cosign/sign/v1", DERIVATION_TYPE].toSorted();

async function verified(digest: Digest): Promise<string> {
  const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  const policy = cosignKeyPolicy(new Map([["cosign.pub", Buffer.from(publicKey)]]), "test");
  const root = await repository().resolve(digest, signal, "read");
  const request = { repository: repository(), root, policy, signal };
  return (await signatureVerifier(verifyLimits).verify(request)).identity;
}

async function predicateOf(attestation: string): Promise<unknown> {
  const listed = await repository().resolve(attestation, signal, "read");
  const manifest = (await fetchManifest(repository(), listed, { maxManifestBytes: 1e6 }, signal)) as Manifest;
  const bundle = JSON.parse((await fetchAll(repository(), manifest.layers[0]!, 1e6, signal)).toString()) as {
    dsseEnvelope: { payload: string };
  };
  const { payload } = bundle.dsseEnvelope;
  return (JSON.parse(Buffer.from(payload, "base64").toString()) as { predicate: unknown }).predicate;
}

describe("signing", () => {
  test("signs and attests before an alias points there", async () => {
    const owner = ownerWith(signing);
    registry.faults.add({ method: "PUT", path: /manifests\/stable/, status: 403 });
    await expect(push(publisher(), owner, await stored("content"))).rejects.toMatchObject({ code: "PublishFailed" });
    const manifests = [...registry.store.repository("published/app").manifests.keys()];
    expect(manifests.length).toBeGreaterThanOrEqual(3);
    const { rows } = await push(publisher(), owner, await stored("content"));
    expect(rows[0]).toMatchObject({ signature: expect.any(String), attestation: expect.any(String) });
    expect(predicatesOf(await referrersOf(rows[0]!.digest!))).toEqual(types);
    expect(await verified(rows[0]!.digest as Digest)).toBe("key cosign.pub");
    const predicate = await predicateOf(rows[0]!.attestation!);
    expect(derivationSchema.parse(predicate)).toEqual(derivation());
  });

  test("is done once, whatever the process remembers", async () => {
    const owner = ownerWith(signing);
    const artifact = await stored("content");
    const { rows } = await push(publisher(), owner, artifact);
    const before = registry.store.repository("published/app").manifests.size;
    const newer = originOf({ derivation: derivation({ builder: { name: "strata", version: "2" } }) });
    for (const previous of [rows, []])
      expect((await push(publisher(), owner, artifact, { previous, origin: newer })).rows[0]).toMatchObject({
        signature: rows[0]!.signature,
        attestation: rows[0]!.attestation,
      });
    expect(registry.store.repository("published/app").manifests.size).toBe(before);
  });

  test("is not done again where the registry cannot show what is there", async () => {
    const owner = ownerWith(signing);
    const artifact = await stored("content");
    const { rows } = await push(publisher(), owner, artifact);
    opened.clear();
    registry.faults.add({ method: "GET", path: new RegExp(rows[0]!.signature!), status: 503, times: 99 });
    await expect(push(publisher(), owner, artifact, { previous: rows })).rejects.toMatchObject({
      code: "PublishFailed",
    });
    expect(predicatesOf(await referrersOf(rows[0]!.digest!).catch(() => []))).not.toContain("none");
    registry.faults.clear();
    expect(predicatesOf(await referrersOf(rows[0]!.digest!))).toEqual(types);
  });

  test("by another key is another signature", async () => {
    const artifact = await stored("content");
    const { rows } = await push(publisher(), ownerWith(signing), artifact);
    const other = generateKeyPairSync("ed25519").privateKey;
    secrets.set("signing", new Map([["cosign.key", Buffer.from(pem(other))]]));
    await push(publisher(), ownerWith(signing), artifact, { previous: rows });
    expect(predicatesOf(await referrersOf(rows[0]!.digest!))).toEqual([...types, ...types].toSorted());
  });

  test("replaces what it has attested of the same bytes from another upstream", async () => {
    const owner = ownerWith(signing);
    const artifact = await stored("content");
    const first = await push(publisher(), owner, artifact);
    const { upstream } = derivation();
    const origin = originOf({ derivation: derivation({ upstream: { ...upstream, tag: "1.0.1" } }) });
    const { rows } = await push(publisher(), owner, artifact, { previous: first.rows, origin });
    expect(rows[0]?.attestation).not.toBe(first.rows[0]?.attestation);
    expect(predicatesOf(await referrersOf(rows[0]!.digest!))).toEqual(types);
    expect(await predicateOf(rows[0]!.attestation!)).toMatchObject({ upstream: { tag: "1.0.1" } });
  });

  test("under the older tag is done on request", async () => {
    const owner = ownerWith({ sign: { ...signing.sign, legacyTag: true } });
    const artifact = await stored("content");
    const { rows } = await push(publisher(), owner, artifact);
    const tag = `${rows[0]!.digest!.replace(":", "-")}.sig`;
    const [found] = [registry.store.manifest("published/app", tag)];
    expect(found).toBeDefined();
    await push(publisher(), owner, artifact, { previous: rows });
    expect(registry.store.manifest("published/app", tag)?.digest).toBe(found?.digest);
    await publisher().withdraw({ ...owner, previous: rows }, signal);
    expect(registry.store.manifest("published/app", tag)).toBeUndefined();
  });
});

describe("a key that cannot be used", () => {
  test.each<[string, Readonly<Record<string, string>> | undefined, RegExp]>([
    ["is not there", undefined, /no Secret signing/],
    ["has another name", { "key.pem": pem(pair.privateKey) }, /cosign\.key is missing/],
    ["is not a key", { "cosign.key": "hello" }, /is not a private key/],
    ["is encrypted", { "cosign.key": encrypted() }, /cosign\.password/],
    ["has another password", { "cosign.key": encrypted(), "cosign.password": "wrong" }, /is cosign\.password right/],
  ])("%s: nothing is pushed, and the message says why", async (_, values, message) => {
    if (values === undefined) secrets.delete("signing");
    else secrets.set("signing", new Map(Object.entries(values).map(([name, text]) => [name, Buffer.from(text)])));
    const failed = push(publisher(), ownerWith(signing), await stored("content"));
    await expect(failed).rejects.toMatchObject({ code: "SigningFailed", message: expect.stringMatching(message) });
    expect(registry.requests.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });
});

function encrypted(): string {
  return pair.privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" })
    .toString();
}

describe("what is deleted with the object", () => {
  test("are its own signatures, and nobody else's", async () => {
    const owner = ownerWith(signing);
    const { rows } = await push(publisher(), owner, await stored("content"));
    const subject = await repository().resolve(rows[0]!.digest!, signal, "read");
    const foreign = await attachForeign("published/app", subject);
    await publisher().withdraw({ ...owner, previous: rows }, signal);
    expect([rows[0]!.digest!, rows[0]!.signature!, rows[0]!.attestation!].map(isThere)).toEqual([false, false, false]);
    expect(isThere(foreign.digest)).toBe(true);
    expect((await referrersOf(subject.digest)).map(({ digest }) => digest)).toEqual([foreign.digest]);
  });

  test("of a manifest that was there before, only what this very object attached", async () => {
    const artifact = await stored("content");
    const first = await push(publisher(), ownerWith(signing, "of another cluster"), artifact);
    const other = generateKeyPairSync("ed25519").privateKey;
    secrets.set("signing", new Map([["cosign.key", Buffer.from(pem(other))]]));
    const owner = ownerWith(signing, "2");
    const { rows } = await push(publisher(), owner, artifact);
    expect(rows[0]).toMatchObject({ preexisting: true });
    await publisher().withdraw({ ...owner, previous: rows }, signal);
    expect([first.rows[0]!.digest!, first.rows[0]!.signature!, rows[0]!.signature!].map(isThere)).toEqual([
      true,
      true,
      false,
    ]);
  });
});

async function attachForeign(path: string, subject: Descriptor, blobSize = 4): Promise<Descriptor> {
  const bytes = Buffer.alloc(blobSize, "sbom");
  const layer = { mediaType: "application/spdx+json", digest: sha256Of(bytes), size: bytes.length };
  await at(path).pushBlob(layer, (from) => bytesFrom(bytes, from), signal);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/spdx+json",
      config: layer,
      layers: [layer],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    }),
  );
  const descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: sha256Of(manifest),
    size: manifest.length,
  };
  await at(path).pushManifest(descriptor, manifest, descriptor.digest, signal);
  return descriptor;
}

describe("referrers: Copy", () => {
  const upstream: Descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: sha256Of("x"),
    size: 1,
  };
  const copying = (): Identified => ownerWith({ referrers: "Copy" });

  test("attaches upstream's to the pushed manifest, once, and takes them away with it", async () => {
    const original = await attachForeign("upstream/app", upstream);
    const artifact = await stored("content");
    const origin = originOf({ subjects: [upstream.digest] });
    const { rows } = await push(publisher(), copying(), artifact, { origin });
    const [copy, ...more] = await referrersOf(rows[0]!.digest!);
    expect(more).toEqual([]);
    expect(copy).toMatchObject({
      artifactType: "application/spdx+json",
      annotations: { "source.strata.dev/copied-from": original.digest },
    });
    await push(publisher(), copying(), artifact, { origin, previous: rows });
    expect(await referrersOf(rows[0]!.digest!)).toHaveLength(1);
    await publisher().withdraw({ ...copying(), previous: rows }, signal);
    expect(isThere(copy!.digest)).toBe(false);
  });

  test("copies nothing where the bytes are not upstream's", async () => {
    await attachForeign("upstream/app", upstream);
    const { rows } = await push(publisher(), copying(), await stored("content"), { origin: originOf() });
    expect(await referrersOf(rows[0]!.digest!)).toEqual([]);
  });

  test("is bounded in number, and says so", async () => {
    for (let size = 1; size <= 34; size += 1) await attachForeign("upstream/app", upstream, size);
    const origin = originOf({ subjects: [upstream.digest] });
    const { rows, note } = await push(publisher(), copying(), await stored("content"), { origin });
    expect(await referrersOf(rows[0]!.digest!)).toHaveLength(32);
    expect(note).toMatch(/^2 of upstream's referrers are not copied/);
  });
});
