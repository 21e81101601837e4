import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { codeOf } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { SharedRepository } from "../oci/content.ts";
import type { Digest } from "../oci/types.ts";
import { testRepository } from "../testing/registry/client.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { ownerAnnotation } from "../store/image-manifest.ts";
import { pushArtifact, type PushRequest, type PushResult } from "./push.ts";
import { prunePushed, type PruneRequest } from "./prune.ts";
import type { Artifact, ArtifactStore, ImageForm, StoredImage } from "../store/store.ts";
import { refill } from "./refill.ts";
import { openTestStore } from "../testing/store.ts";

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const signal = new AbortController().signal;

let dir: string;
let store: ArtifactStore;
let registry: TestRegistry;
let repository: SharedRepository;

async function start(options: RegistryOptions = {}): Promise<void> {
  await registry?.close();
  registry = await startRegistry(options);
  repository = testRepository(registry, "published/app");
}

const openStore = (name: string): Promise<ArtifactStore> => openTestStore(join(dir, name));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-push-"));
  store = await openStore("data");
  await start();
});
afterEach(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

async function publish(
  content: string,
  options: { tag?: string; contentDigest?: Digest; image?: Partial<ImageForm>; created?: string } = {},
): Promise<{ artifact: Artifact; stored: StoredImage }> {
  const path = join(dir, "staged");
  await writeFile(path, content);
  const digest = sha256Of(content);
  const { tag = "1.0.0", contentDigest = digest, image, created } = options;
  const blob = { path, digest, size: Buffer.byteLength(content), contentDigest, verbatim: true };
  const metadata: Record<string, string> = created ? { "org.opencontainers.image.created": created } : {};
  const artifact = await store.publish(
    { owner, blob, revision: `${tag}@${contentDigest}`, metadata, ...(image && { image }) },
    signal,
  );
  const stored = await store.image(owner);
  if (!stored) throw new Error("nothing stored");
  return { artifact, stored };
}

const push = async (
  stored: StoredImage,
  aliases: readonly string[] = [],
  options: Partial<PushRequest> = {},
): Promise<PushResult> => await pushArtifact({ repository, owner, stored, aliases, ...options }, signal);

const requests = (): string[] =>
  registry.requests
    .splice(0)
    .map(
      ({ method, path }) =>
        `${method} ${path.replace(/sha256:[a-f0-9]{64}/, "DIGEST").replace(/uploads\/.*/, "uploads/")}`,
    );
const writes = (): string[] => requests().filter((line) => !/^(HEAD|GET) /.test(line));
const tagDigest = (tag: string): Digest | undefined => registry.store.manifest("published/app", tag)?.digest;

describe("pushing", () => {
  test("uploads blobs, then the manifest by digest, then the aliases", async () => {
    const { stored } = await publish("one");
    const result = await push(stored, ["1.0.0", "stable"]);
    const { digest } = stored.image.descriptor;
    expect(result).toEqual({ digest, uploaded: true, moved: ["1.0.0", "stable"] });
    expect([tagDigest("1.0.0"), tagDigest("stable")]).toEqual([digest, digest]);
    const { manifests, blobs } = registry.store.repository("published/app");
    expect(manifests.get(digest)?.bytes.equals(stored.image.bytes)).toBe(true);
    expect([...blobs.keys()].sort()).toEqual([stored.image.layer.digest, stored.image.config.digest].sort());
    expect(writes().filter((line) => line.includes("manifests"))).toEqual([
      "PUT /v2/published/app/manifests/DIGEST",
      "PUT /v2/published/app/manifests/1.0.0",
      "PUT /v2/published/app/manifests/stable",
    ]);
  });

  test("the same again writes nothing and lists nothing", async () => {
    const { stored } = await publish("one");
    await push(stored, ["stable"]);
    requests();
    expect(await push(stored, ["stable"])).toEqual({
      digest: stored.image.descriptor.digest,
      uploaded: false,
      moved: [],
    });
    expect(requests()).toEqual(["HEAD /v2/published/app/manifests/stable", "HEAD /v2/published/app/manifests/DIGEST"]);
  });

  test("the same content under a new tag only moves aliases, also when it was built anew", async () => {
    const contentDigest = sha256Of("tar");
    const { stored: first } = await publish("gzip", { contentDigest, created: "2026-01-01T00:00:00Z" });
    await push(first, ["1.0.0", "stable"]);
    requests();
    const { stored } = await publish("other gzip", { contentDigest, tag: "1.0.1", created: "2026-02-02T00:00:00Z" });
    expect(await push(stored, ["1.0.1", "stable"])).toEqual({
      digest: first.image.descriptor.digest,
      uploaded: false,
      moved: ["1.0.1"],
    });
    expect(writes()).toEqual(["PUT /v2/published/app/manifests/1.0.1"]);
  });

  test("an alias that somebody has moved is moved back", async () => {
    const { stored: one } = await publish("one");
    await push(one, ["stable"]);
    const { stored: two } = await publish("two");
    await push(two, ["stable"]);
    expect(await push(one, ["stable"])).toMatchObject({ uploaded: false, moved: ["stable"] });
    expect(tagDigest("stable")).toBe(one.image.descriptor.digest);
  });

  test("a layer that the source repository has is mounted, not sent", async () => {
    registry.store.putBlob("upstream/app", Buffer.from("one"));
    const { stored } = await publish("one");
    await push(stored, [], { mountFrom: "upstream/app" });
    // The config alone is uploaded.
    expect(writes().filter((line) => line.startsWith("PUT") && line.includes("blobs"))).toHaveLength(1);
    expect(registry.store.repository("published/app").blobs.has(stored.image.layer.digest)).toBe(true);
  });

  test("a refused mount sends the layer", async () => {
    await start({ mounts: false });
    registry.store.putBlob("upstream/app", Buffer.from("one"));
    const { stored } = await publish("one");
    expect(await push(stored, ["stable"], { mountFrom: "upstream/app" })).toMatchObject({ uploaded: true });
    expect(registry.store.repository("published/app").blobs.has(stored.image.layer.digest)).toBe(true);
  });

  test("blobs that are there already are not sent", async () => {
    const { stored } = await publish("one");
    await push(stored);
    requests();
    const { stored: other } = await publish("one", {
      image: { layerMediaType: "application/vnd.oci.image.layer.v1.tar+gzip" },
    });
    expect(await push(other)).toMatchObject({ uploaded: true });
    expect(writes()).toEqual(["PUT /v2/published/app/manifests/DIGEST"]);
  });

  test("an upload that is cut goes on", async () => {
    const content = "x".repeat(300_000);
    const { stored } = await publish(content);
    registry.faults.add({ method: "PUT", path: /uploads/, cutRequestAfterBytes: 100_000 });
    await push(stored);
    expect(registry.store.repository("published/app").blobs.get(stored.image.layer.digest)?.size).toBe(content.length);
  });

  test.each([
    [{ method: "PUT", path: /manifests/, status: 403 }, "Forbidden"],
    [{ path: /v2/, status: 401, times: 99 }, "Unauthorized"],
    [{ method: "POST", path: /uploads/, status: 500, times: 9 }, "RegistryUnavailable"],
  ])("a target that refuses (%o) is a PublishFailed, and no alias moves", async (fault, code) => {
    const { stored } = await publish("one");
    registry.faults.add(fault);
    await expect(push(stored, ["stable"])).rejects.toMatchObject({ code: "PublishFailed", details: { code } });
    expect(tagDigest("stable")).toBeUndefined();
  });

  test("says when to try again", async () => {
    const { stored } = await publish("one");
    registry.faults.add({ path: /./, status: 429, headers: { "retry-after": "120" }, times: 99 });
    await expect(push(stored)).rejects.toMatchObject({
      code: "PublishFailed",
      retryAfterMs: 120_000,
      details: { code: "RateLimited" },
    });
  });

  test("stops where it is told to", async () => {
    const { stored } = await publish("one");
    await expect(pushArtifact({ repository, owner, stored, aliases: [] }, AbortSignal.abort())).rejects.toSatisfy(
      (error) => codeOf(error) === "Aborted",
    );
  });

  test("a file that is deleted meanwhile is a failure, not an empty layer", async () => {
    const { stored } = await publish("one");
    await store.remove(owner);
    await expect(push(stored, ["stable"])).rejects.toMatchObject({ code: "PublishFailed" });
    expect(tagDigest("stable")).toBeUndefined();
  });
});

describe("an alias of somebody else", () => {
  const foreign = (spec: { annotations?: Record<string, string>; index?: boolean }): Digest =>
    spec.index
      ? registry.store.putIndex("published/app", [], { tag: "1.0.0" }).digest
      : registry.store.putArtifact("published/app", { tag: "1.0.0", ...spec }).digest;
  const marked = (mark: string) => ({ annotations: { [ownerAnnotation]: mark } });

  test.each<[string, Parameters<typeof foreign>[0], RegExp]>([
    ["upstream's", {}, /a manifest that no ArtifactRepository has pushed; it is left alone/],
    ["an index", { index: true }, /that no ArtifactRepository has pushed/],
    ["another object's", marked("artifactrepository/apps/other"), /that artifactrepository\/apps\/other has pushed/],
    ["another namespace's", marked("artifactrepository/team-b/podinfo"), /that artifactrepository\/team-b\/podinfo/],
    ["one with a longer mark", marked("artifactrepository/apps/podinfo2"), /podinfo2 has pushed/],
    ["one with control characters", marked("artifactrepository/apps/podinfo\u001b[31m"), /no ArtifactRepository/],
  ])("is not moved, and nothing is sent: %s", async (_, spec, message) => {
    const theirs = foreign(spec);
    const { stored } = await publish("one");
    requests();
    await expect(push(stored, ["stable", "1.0.0"])).rejects.toMatchObject({
      code: "NotOwned",
      message: expect.stringMatching(message),
      details: { tag: "1.0.0", digest: theirs },
    });
    expect([tagDigest("1.0.0"), tagDigest("stable"), writes()]).toEqual([theirs, undefined, []]);
  });

  test("that appears while it is set is not moved", async () => {
    const { stored } = await publish("one");
    // What the second look sees is out of date when it arrives.
    registry.faults.add({ method: "HEAD", path: /manifests\/1\.0\.0/, after: 1, delayMs: 300 });
    const pushing = push(stored, ["1.0.0"]).catch((error: unknown) => error);
    await vi.waitUntil(() => registry.store.repository("published/app").manifests.size > 0);
    await setTimeout(100);
    const theirs = foreign({});
    expect(await pushing).toMatchObject({ code: "NotOwned", details: { digest: theirs } });
    expect(tagDigest("1.0.0")).toBe(theirs);
  });

  test("is one's own again after the object was made anew, in another cluster too", async () => {
    const { stored: before } = await publish("one");
    await push(before, ["1.0.0"]);
    store = await openStore("rebuilt");
    const { stored } = await publish("two");
    expect(await push(stored, ["1.0.0"])).toMatchObject({ moved: ["1.0.0"] });
  });
});

describe("retaining", () => {
  const prune = (request: Partial<PruneRequest>): ReturnType<typeof prunePushed> =>
    prunePushed({ repository, owner, pushed: [], preexisting: new Set(), retain: 1, aliases: [], ...request }, signal);

  async function pushThree(): Promise<Digest[]> {
    const digests: Digest[] = [];
    for (const content of ["one", "two", "three"]) {
      const { stored } = await publish(content, { tag: content });
      digests.unshift((await push(stored, [content, "stable"])).digest);
    }
    requests();
    return digests;
  }

  const isThere = (digest: Digest): boolean => registry.store.repository("published/app").manifests.has(digest);

  test("deletes what is beyond the number, by digest, without listing", async () => {
    const pushed = await pushThree();
    expect(await prune({ pushed, retain: 2, aliases: ["stable"] })).toEqual({
      remaining: pushed.slice(0, 2),
      deleted: pushed.slice(2),
      refused: undefined,
    });
    expect(pushed.map(isThere)).toEqual([true, true, false]);
    expect(requests().filter((line) => line.includes("tags/list"))).toEqual([]);
  });

  test("asks nothing where there is nothing to delete", async () => {
    const pushed = await pushThree();
    expect(await prune({ pushed, retain: 3, aliases: ["stable"] })).toEqual({
      remaining: pushed,
      deleted: [],
      refused: undefined,
    });
    expect(requests()).toEqual([]);
  });

  test("keeps what an alias points at", async () => {
    const pushed = await pushThree();
    const [, , oldest] = pushed as [Digest, Digest, Digest];
    registry.store.repository("published/app").tags.set("qa", oldest);
    expect(await prune({ pushed, retain: 1, aliases: ["stable", "qa", "absent"] })).toMatchObject({
      remaining: [pushed[0], oldest],
      deleted: [pushed[1]],
    });
    expect(pushed.map(isThere)).toEqual([true, false, true]);
  });

  test("never deletes what somebody else has pushed, whatever the record says", async () => {
    const pushed = await pushThree();
    const foreign = registry.store.putArtifact("published/app", { tag: "theirs" }).digest;
    const others = registry.store.putArtifact("published/app", {
      annotations: { [ownerAnnotation]: "artifactrepository/apps/other" },
    }).digest;
    const index = registry.store.putIndex("published/app", []).digest;
    const result = await prune({ pushed: [...pushed, foreign, others, index], retain: 3 });
    expect(result).toEqual({ remaining: pushed, deleted: [], refused: undefined });
    expect([foreign, others, index].map(isThere)).toEqual([true, true, true]);
    expect(requests().filter((line) => line.startsWith("DELETE"))).toEqual([]);
  });

  test("never deletes what was there before, though it is the same to the byte", async () => {
    const pushed = await pushThree();
    const preexisting = new Set(pushed.slice(2));
    expect(await prune({ pushed, preexisting, retain: 1 })).toEqual({
      remaining: pushed.slice(0, 1),
      deleted: pushed.slice(1, 2),
      refused: undefined,
    });
    expect(pushed.map(isThere)).toEqual([true, false, true]);
  });

  test("forgets what is gone already", async () => {
    const pushed = await pushThree();
    registry.store.repository("published/app").manifests.delete(pushed[2] as Digest);
    expect(await prune({ pushed, retain: 2 })).toEqual({
      remaining: pushed.slice(0, 2),
      deleted: [],
      refused: undefined,
    });
  });

  test("deletes everything of an owner that is deleted", async () => {
    const pushed = await pushThree();
    expect(await prune({ pushed, retain: 0 })).toMatchObject({ remaining: [], deleted: pushed });
    expect(registry.store.repository("published/app").manifests.size).toBe(0);
  });

  test("says that the registry deletes nothing, after one attempt, and remembers the rest", async () => {
    await start({ deletes: false });
    const pushed = await pushThree();
    const result = await prune({ pushed, retain: 1 });
    expect(result).toMatchObject({ remaining: pushed, deleted: [], refused: { code: "RegistryUnsupported" } });
    expect(requests().filter((line) => line.startsWith("DELETE"))).toHaveLength(1);
  });

  test("takes a missing permission alike", async () => {
    const pushed = await pushThree();
    registry.faults.add({ method: "DELETE", status: 403 });
    expect(await prune({ pushed, retain: 1 })).toMatchObject({
      remaining: pushed,
      deleted: [],
      refused: { code: "Forbidden" },
    });
  });

  test("a registry that is down is a PublishFailed", async () => {
    const pushed = await pushThree();
    registry.faults.add({ path: /./, status: 503, times: 99 });
    await expect(prune({ pushed, retain: 1 })).rejects.toMatchObject({
      code: "PublishFailed",
      details: { code: "RegistryUnavailable" },
    });
  });
});

describe("refilling", () => {
  test("brings the artifact and its OCI manifest back into an empty storage, without upstream", async () => {
    const config = { mediaType: "application/vnd.cncf.helm.config.v1+json", bytes: Buffer.from("{}") };
    const { artifact, stored } = await publish("one", {
      image: { layerMediaType: "a/b", layerTitle: "", config },
      created: "2026-01-01T00:00:00Z",
    });
    const { digest } = await push(stored);
    const empty = await openStore("empty");
    expect(await refill({ repository, digest, owner, artifact, store: empty }, signal)).toEqual(artifact);
    expect(await empty.verify(owner, artifact, signal)).toBe("ok");
    expect(await readFile(join(dir, "empty", artifact.path), "utf8")).toBe("one");
    expect((await empty.image(owner))?.image).toEqual(stored.image);
  });

  test("keeps Flux's config implicit, so that later content is compared rightly", async () => {
    const { artifact, stored } = await publish("one");
    const { digest } = await push(stored);
    const empty = await openStore("empty");
    await refill({ repository, digest, owner, artifact, store: empty }, signal);
    store = empty;
    expect((await publish("one", { created: "2026-02-02T00:00:00Z" })).stored.image.descriptor.digest).toBe(digest);
  });

  test("takes nothing else than what the status names", async () => {
    const { artifact } = await publish("one");
    const { stored } = await publish("two");
    const { digest } = await push(stored);
    const empty = await openStore("empty");
    await expect(refill({ repository, digest, owner, artifact, store: empty }, signal)).rejects.toMatchObject({
      code: "DigestMismatch",
    });
    await expect(
      refill({ repository, digest: sha256Of("absent"), owner, artifact, store: empty }, signal),
    ).rejects.toMatchObject({ code: "NotFound" });
    expect(await empty.current(owner)).toBeUndefined();
  });

  test("leaves nothing behind when the bytes are wrong", async () => {
    const { artifact, stored } = await publish("one");
    const { digest } = await push(stored);
    registry.faults.add({ method: "GET", path: new RegExp(`blobs/${artifact.digest}`), corruptAt: 1, times: 9 });
    const empty = await openStore("empty");
    await expect(refill({ repository, digest, owner, artifact, store: empty }, signal)).rejects.toMatchObject({
      code: "DigestMismatch",
    });
    expect(await empty.current(owner)).toBeUndefined();
  });
});
