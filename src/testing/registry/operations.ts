import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { expect } from "vitest";
import { defaultLimits, verifyLimits } from "../../config.ts";
import { sha256Of } from "../../oci/digest.ts";
import type { WritableRepository } from "../../oci/content.ts";
import { readReferrer } from "../../oci/referrer.ts";
import type { Descriptor, Digest } from "../../oci/types.ts";
import { walk } from "../../oci/walk.ts";
import { signatureVerifier } from "../../verify/signature-verifier.ts";
import {
  bundleType,
  dsseBundle,
  legacyLayer,
  signWith,
  simpleSigning,
  statement,
} from "../signatures/cosign-signatures.ts";
import type { TestLayer } from "../signatures/signed-artifact.ts";
import type { ArtifactSpec } from "./store.ts";
import type { Capabilities } from "./vendors/vendor.ts";

/** The other way into a registry: what it holds is put there, and looked at, without the client under test. */
export interface Backdoor {
  putArtifact(repository: string, spec: ArtifactSpec): Promise<Descriptor>;
  putIndex(repository: string, manifests: readonly Descriptor[], tag: string): Promise<Descriptor>;
  putBlob(repository: string, bytes: Buffer): Promise<Descriptor>;
  /** Points tags at what is there. */
  tag(repository: string, root: Descriptor, tags: readonly string[]): Promise<void>;
  /** The size of a blob; undefined where there is none. */
  blobSize(repository: string, digest: Digest): Promise<number | undefined>;
  /** What a tag or digest leads to. */
  digestOf(repository: string, reference: string): Promise<Digest | undefined>;
  /** Cuts one download of a blob after so many bytes. */
  cutDownload(afterBytes: number): void;
}

/** A registry whose repository `team/app` holds one manifest under `v1`. */
export interface Stage {
  readonly can: Capabilities;
  readonly backdoor: Backdoor;
  /** `team/app`, through the client under test. */
  readonly repository: WritableRepository;
  readonly root: Descriptor;
}

const signal = new AbortController().signal;

/** Blobs that are larger are pushed in chunks by the client under test. */
export const chunkBytes = 200_000;

const open = (bytes: Buffer) => (offset: number) => Readable.from([bytes.subarray(offset)], { objectMode: false });

const read = async ({ repository }: Stage, descriptor: Descriptor): Promise<Buffer> =>
  Buffer.concat((await (await repository.fetch(descriptor, signal)).toArray()) as Buffer[]);

async function pushed({ repository, backdoor }: Stage, size: number): Promise<void> {
  const bytes = randomBytes(size);
  const digest = sha256Of(bytes);
  await repository.pushBlob({ mediaType: "application/octet-stream", digest, size }, open(bytes), signal);
  expect(await backdoor.blobSize("team/app", digest)).toBe(size);
}

/** Attaches what refers to the root in the way that a registry without the API leaves. */
async function refer({ backdoor, root, can }: Stage, spec: ArtifactSpec): Promise<Descriptor> {
  const referrer = await backdoor.putArtifact("team/app", { ...spec, subject: root });
  if (can.referrers === "fallback tag") await backdoor.putIndex("team/app", [referrer], root.digest.replace(":", "-"));
  return referrer;
}

const contentOf = ({ bytes, ...layer }: TestLayer) => ({ ...layer, bytes: Buffer.from(bytes) });

async function isSignedBy({ repository, root }: Stage, key: KeyObject): Promise<boolean> {
  const policy = { provider: "cosign", method: "keys", fingerprint: "", keys: [{ name: "cosign.pub", key }] } as const;
  return await signatureVerifier(verifyLimits)
    .verify({ repository, root, policy, signal })
    .then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ code: "VerificationFailed" });
        return false;
      },
    );
}

/** Every operation of the client, for the zoo and for real servers; each gets a stage of its own. */
export const operations: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  "resolve by tag": async ({ repository, root }) => {
    expect((await repository.resolve("v1", signal)).digest).toBe(root.digest);
  },
  "resolve by digest": async ({ repository, root }) => {
    expect((await repository.resolve(root.digest, signal)).digest).toBe(root.digest);
    const { mediaType, digest, size } = root;
    expect(await repository.resolve(digest, signal, "read")).toEqual({ mediaType, digest, size });
  },
  "check for news": async ({ repository, backdoor, root }) => {
    for (let time = 0; time < 2; time++) expect((await repository.resolve("v1", signal)).digest).toBe(root.digest);
    const other = await backdoor.putArtifact("team/app", { tag: "v1", annotations: { a: "b" } });
    expect((await repository.resolve("v1", signal)).digest).toBe(other.digest);
  },
  walk: async ({ repository, backdoor, root }) => {
    const index = await backdoor.putIndex("team/app", [root], "all");
    const kinds: string[] = [];
    for await (const { kind } of walk(repository, index, { limits: defaultLimits, signal })) kinds.push(kind);
    expect(kinds).toEqual(["index", "manifest"]);
  },
  "pull, and resume": async (stage) => {
    const bytes = randomBytes(500_000);
    const blob = await stage.backdoor.putBlob("team/app", bytes);
    stage.backdoor.cutDownload(100_000);
    for (let time = 0; time < 2; time++) expect(await read(stage, blob)).toEqual(bytes);
  },
  list: async ({ repository, backdoor, root }) => {
    const tags = Array.from({ length: 120 }, (_, at) => `t${String(at).padStart(3, "0")}`);
    await backdoor.tag("team/app", root, tags);
    const found: string[] = [];
    for await (const page of repository.tags(signal)) found.push(...page);
    expect(found.toSorted()).toEqual([...tags, "v1"]);
  },
  referrers: async (stage) => {
    const { repository, root, can } = stage;
    const signature = await refer(stage, { artifactType: "application/sig" });
    const listed = await repository.referrers(root.digest, signal);
    expect(listed.map(({ digest }) => digest)).toEqual(can.referrers === "none" ? [] : [signature.digest]);
    for (const entry of listed)
      expect(await readReferrer(repository, entry, defaultLimits, signal)).toMatchObject({
        mediaType: signature.mediaType,
        digest: signature.digest,
        size: signature.size,
        artifactType: "application/sig",
      });
  },
  verify: async (stage) => {
    const { backdoor, root, can } = stage;
    const [old, bundled, other] = [1, 2, 3].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
    const payload = simpleSigning(root.digest);
    const layers = [legacyLayer(payload, signWith(old!.privateKey)(payload))].map(contentOf);
    await backdoor.putArtifact("team/app", { tag: `${root.digest.replace(":", "-")}.sig`, layers });
    expect(await isSignedBy(stage, old!.publicKey)).toBe(true);
    const bundle = contentOf(dsseBundle(statement(root.digest), signWith(bundled!.privateKey)));
    await refer(stage, { artifactType: bundleType, layers: [bundle] });
    expect(await isSignedBy(stage, bundled!.publicKey)).toBe(can.referrers !== "none");
    expect(await isSignedBy(stage, other!.publicKey)).toBe(false);
  },
  "push in one": async (stage) => await pushed(stage, chunkBytes / 2),
  "push in chunks": async (stage) => await pushed(stage, 3.5 * chunkBytes),
  mount: async ({ repository, backdoor }) => {
    const blob = await backdoor.putBlob("team/other", randomBytes(100));
    expect(await repository.mount(blob, "team/other", signal)).toBe(true);
    expect(await backdoor.blobSize("team/app", blob.digest)).toBe(100);
  },
  alias: async (stage) => {
    const { repository, backdoor, root } = stage;
    await repository.pushManifest(root, await read(stage, root), "stable", signal);
    expect(await backdoor.digestOf("team/app", "stable")).toBe(root.digest);
  },
  "delete, or say that it cannot": async ({ repository, backdoor, root, can }) => {
    const work = repository.deleteManifest(root.digest, signal);
    if (can.deletes === "yes") await work;
    else await expect(work).rejects.toMatchObject({ code: "RegistryUnsupported" });
    expect((await backdoor.digestOf("team/app", root.digest)) === undefined).toBe(can.deletes === "yes");
  },
};
