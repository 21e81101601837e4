import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import type { Identified } from "../pipeline/object.ts";
import { parseObject } from "../pipeline/spec.ts";
import type { Artifact, ArtifactStore } from "../store/store.ts";
import { testRepository } from "../testing/registry/client.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { ociPublisher } from "./oci-publisher.ts";
import type { OciPublisher, Published, Transfer } from "./port.ts";
import { openTestStore } from "../testing/store.ts";

const signal = new AbortController().signal;
const key = { namespace: "apps", name: "app" };

let dir: string;
let registry: TestRegistry;
let store: ArtifactStore;
let publisher: OciPublisher;
let signingSecret: ReadonlyMap<string, Buffer> = new Map();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-oci-publisher-"));
  registry = await startRegistry();
  store = await openTestStore(join(dir, "data"));
  publisher = anotherPublisher();
});
afterEach(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

function anotherPublisher(): OciPublisher {
  const openTarget = (url: string) => {
    const reference = {
      kind: "registry",
      registry: registry.host,
      repository: url.replace(/^oci:\/\/[^/]+\//, ""),
    } as const;
    return Promise.resolve({ reference, repository: testRepository(registry, reference.repository) });
  };
  return ociPublisher({ openTarget, signingSecret: () => Promise.resolve(signingSecret) }, store);
}

function ownerWith(oci: Readonly<Record<string, unknown>>): Identified {
  const publish = { oci: { url: `oci://${registry.host}/published/app`, ...oci } };
  const object = parseObject({
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: key,
    spec: { url: "oci://r.example/app", interval: "1m", publish },
  });
  return { key, uid: "1", generation: 1, object };
}

async function stored(content: string, metadata: Readonly<Record<string, string>> = {}): Promise<Artifact> {
  const [path, digest] = [join(dir, "staged"), sha256Of(content)];
  await writeFile(path, content);
  return await store.publish(
    {
      owner: { kind: "ArtifactRepository", ...key },
      blob: { path, digest, size: content.length, contentDigest: digest, verbatim: true },
      revision: `1.0.0@${digest}`,
      metadata,
    },
    signal,
  );
}

const atOnce: Transfer = async (_, work) => await work();

async function push(
  owner: Identified,
  artifact: Artifact,
  previous: readonly PublishedStatus[] = [],
): Promise<Published> {
  return await publisher.publish(
    {
      owner,
      artifact,
      sourceVerified: undefined,
      previous,
      layer: undefined,
      transfer: atOnce,
    },
    signal,
  );
}

/** Pushes that many versions, each with what the status says of those before. */
async function pushVersions(
  owner: Identified,
  count: number,
): Promise<{ readonly pushed: readonly Digest[]; readonly rows: readonly PublishedStatus[] }> {
  const pushed: Digest[] = [];
  let rows: readonly PublishedStatus[] = [];
  for (let version = 0; version < count; version += 1) {
    ({ rows } = await push(owner, await stored(`version ${version}`), rows));
    pushed.unshift(rows[0]?.digest as Digest);
  }
  return { pushed, rows };
}

const isThere = (digest: Digest): boolean => registry.store.manifest("published/app", digest) !== undefined;

describe("what is remembered", () => {
  test.each([1, 3, 20])("is enough to delete what goes beyond %i", async (retain) => {
    const { pushed, rows } = await pushVersions(ownerWith({ retain }), retain + 3);
    expect(rows.map(({ digest }) => digest)).toEqual(pushed.slice(0, retain));
    expect(pushed.map(isThere)).toEqual(pushed.map((_, at) => at < retain));
  });

  test("is deleted with the object, also without retain", async () => {
    const owner = ownerWith({});
    const { pushed, rows } = await pushVersions(owner, 20);
    expect(pushed.every(isThere)).toBe(true);
    await publisher.withdraw({ ...owner, previous: rows }, signal);
    expect(pushed.some(isThere)).toBe(false);
  });

  test("has an end, so that the status does not grow for ever", async () => {
    const previous = Array.from({ length: 200 }, (_, at): PublishedStatus => ({
      kind: "OCIArtifact",
      url: `oci://${registry.host}/published/app`,
      digest: sha256Of(String(at)),
    }));
    const { rows } = await push(ownerWith({}), await stored("new"), previous);
    expect(rows).toHaveLength(126);
  });

  test("of another target is of no use", async () => {
    const elsewhere: PublishedStatus = {
      kind: "OCIArtifact",
      url: "oci://elsewhere.example/app",
      digest: sha256Of("x"),
    };
    const { rows } = await push(ownerWith({ retain: 1 }), await stored("new"), [elsewhere]);
    expect(rows.map(({ url }) => url)).toEqual([`oci://${registry.host}/published/app`]);
  });
});

describe("a manifest that was there before", () => {
  test("stays when the object goes, also where it is the same to the byte", async () => {
    const owner = ownerWith({ retain: 1 });
    const artifact = await stored("content");
    await push(owner, artifact);
    // Another process, which knows nothing of that push.
    const later = anotherPublisher();
    const request = { owner, artifact, sourceVerified: undefined, previous: [], layer: undefined, transfer: atOnce };
    const { rows } = await later.publish(request, signal);
    expect(rows).toMatchObject([{ preexisting: true }]);
    expect((await later.publish({ ...request, previous: rows }, signal)).rows).toEqual(rows);
    await later.withdraw({ ...owner, previous: rows }, signal);
    expect(isThere(rows[0]!.digest as Digest)).toBe(true);
  });

  test("is none where an earlier attempt of this object ended after it was pushed", async () => {
    const owner = ownerWith({ tags: ["stable"] });
    const artifact = await stored("content");
    registry.faults.add({ method: "PUT", path: /manifests\/stable/, status: 403 });
    await expect(push(owner, artifact)).rejects.toMatchObject({ code: "PublishFailed" });
    const { rows } = await push(owner, artifact);
    expect(rows[0]).not.toHaveProperty("preexisting");
    await publisher.withdraw({ ...owner, previous: rows }, signal);
    expect(isThere(rows[0]!.digest as Digest)).toBe(false);
  });
});

describe("aliases", () => {
  test("are made from what the artifact says of itself", async () => {
    const artifact = await stored("content", { stage: "qa" });
    const { rows } = await push(ownerWith({ tags: ["{tag}", "{annotation:stage}-{repository}", "stable"] }), artifact);
    expect(rows).toEqual([
      {
        kind: "OCIArtifact",
        url: `oci://${registry.host}/published/app`,
        digest: expect.any(String),
        tags: ["1.0.0", "qa-app", "stable"],
      },
    ]);
    for (const tag of rows[0]?.tags ?? [])
      expect(registry.store.manifest("published/app", tag)?.digest).toBe(rows[0]?.digest);
  });
});

describe("a target", () => {
  test("that does not have what the status remembers refills nothing", async () => {
    const owner = ownerWith({});
    const artifact = await stored("content");
    const request = { owner, target: owner.object.spec.publish!.oci!, artifact };
    expect(await publisher.refill({ ...request, previous: [] }, signal)).toBe(false);
    await expect(
      publisher.refill(
        { ...request, previous: [{ kind: "OCIArtifact", url: request.target.url, digest: sha256Of("gone") }] },
        signal,
      ),
    ).rejects.toMatchObject({ code: "NotFound" });
    const { rows } = await push(owner, artifact);
    await store.remove({ kind: "ArtifactRepository", ...key });
    expect(await publisher.refill({ ...request, previous: rows }, signal)).toBe(true);
    expect(await store.verify({ kind: "ArtifactRepository", ...key }, artifact, signal)).toBe("ok");
  });

  test("is not pushed to when the artifact is gone", async () => {
    const artifact = await stored("content");
    await store.remove({ kind: "ArtifactRepository", ...key });
    await expect(push(ownerWith({}), artifact)).rejects.toMatchObject({ code: "StorageFailed" });
  });
});
