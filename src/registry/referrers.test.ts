import { afterAll, afterEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { readReferrer } from "../oci/referrer.ts";
import type { Descriptor } from "../oci/types.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";

const signal = new AbortController().signal;
const client = testClient();
let registry: TestRegistry;
let root: Descriptor;
let signature: Descriptor;

const start = async (options: RegistryOptions = {}): Promise<void> => {
  registry = await startRegistry(options);
  root = registry.store.putArtifact("a", { tag: "v1" });
  signature = registry.store.putArtifact("a", {
    artifactType: "application/signature",
    subject: root,
    annotations: { k: "v" },
  });
  registry.store.putArtifact("a", { artifactType: "application/sbom", subject: root });
};
afterEach(() => registry.close());
afterAll(() => client.close());

const list = (maxManifests = defaultLimits.maxManifests): Promise<readonly Descriptor[]> =>
  testRepository(registry, "a", { client, limits: { ...defaultLimits, maxManifests } }).referrers(root.digest, signal);

test("all referrers, as hints", async () => {
  await start();
  const [first, second] = await list();
  expect(first).toEqual({
    ...signature,
    artifactType: "application/signature",
    annotations: { k: "v" },
    isHint: true,
  });
  expect(second?.artifactType).toBe("application/sbom");
  expect(registry.requests).toHaveLength(1);
});

test("pages are followed", async () => {
  await start({ pageSize: 1 });
  expect(await list()).toHaveLength(2);
  expect(registry.requests).toHaveLength(2);
});

test("without the API, the fallback tag is read", async () => {
  await start({ referrers: false });
  expect(await list()).toEqual([]);
  registry.store.putIndex("a", [{ ...signature, artifactType: "application/signature" }], {
    tag: root.digest.replace(":", "-"),
  });
  expect((await list()).map((found) => found.digest)).toEqual([signature.digest]);
});

test.each<[string, object]>([
  ["400", { status: 400 }],
  ["405", { status: 405 }],
  ["403", { status: 403 }],
  ["401", { status: 401 }],
  ["500, again and again", { status: 500, times: 4 }],
  ["a web page", { status: 200, body: "<html>", headers: { "content-type": "text/html" } }],
  ["an empty object", { status: 200, body: "{}" }],
  ["null", { status: 200, body: "null" }],
  ["something else", { status: 200, body: '{"schemaVersion":2,"manifests":7}' }],
  ["nothing", { status: 200, body: '{"schemaVersion":2,"manifests":[]}' }],
])("%s counts as: no API", async (_, fault) => {
  await start();
  registry.store.putIndex("a", [signature], { tag: root.digest.replace(":", "-") });
  registry.faults.add(fault);
  expect((await list()).map((found) => found.digest)).toEqual([signature.digest]);
});

test.each<[string, object]>([
  ["no size", { size: undefined }],
  ["a wrong size", { size: 7 }],
  ["no media type", { mediaType: undefined }],
  ["a wrong media type", { mediaType: "application/octet-stream" }],
  ["the type of an index", { mediaType: "application/vnd.oci.image.index.v1+json" }],
  ["annotations of no use", { annotations: [1] }],
])("an entry with %s still leads to its manifest", async (_, wrong) => {
  await start();
  const entry = { ...signature, ...wrong };
  registry.faults.add({ path: /referrers/, status: 200, body: JSON.stringify({ manifests: [{}, entry, 3, null] }) });
  const repository = testRepository(registry, "a", { client });
  const [listed, ...others] = await repository.referrers(root.digest, signal);
  expect(others).toEqual([]);
  expect(await readReferrer(repository, listed!, defaultLimits, signal)).toEqual({
    ...signature,
    artifactType: "application/signature",
    annotations: { k: "v" },
  });
});

test("a fallback tag that is taken for the digest lists nothing, be it an index", async () => {
  await start({ referrers: false });
  const index = registry.store.putIndex("a", [signature]);
  registry.faults.guard = ({ url }) => {
    const [, hex] = /\/manifests\/sha256-([0-9a-f]{64})$/.exec(url) ?? [];
    const found = hex === undefined ? undefined : registry.store.manifest("a", `sha256:${hex}`);
    return found && { status: 200, body: found.stored.bytes };
  };
  const repository = testRepository(registry, "a", { client });
  expect(await repository.referrers(root.digest, signal)).toEqual([]);
  expect(await repository.referrers(index.digest, signal)).toEqual([]);
});

test("the fixtures signed with real tools name their signatures", async () => {
  registry = await startRegistry({ fixtures: true, referrers: false });
  for (const [name, type] of [
    ["signed/bundle", "application/vnd.dev.sigstore.bundle.v0.3+json"],
    ["signed/notation-jws", "application/vnd.cncf.notary.signature"],
  ] as const) {
    const repository = testRepository(registry, name, { client });
    const subject = await repository.resolve("1.0.0", signal);
    expect((await repository.referrers(subject.digest, signal)).map((found) => found.artifactType)).toContain(type);
  }
});

test.each<[string, object[], string]>([
  [
    "a circle",
    [
      {
        times: 9,
        status: 200,
        body: JSON.stringify({ schemaVersion: 2, manifests: [] }),
        headers: { "content-type": "application/vnd.oci.image.index.v1+json", link: '<?x>; rel="next"' },
      },
    ],
    "RegistryResponseInvalid",
  ],
  ["a next page elsewhere", [{ headers: { link: '<https://evil.example/>; rel="next"' } }], "RegistryResponseInvalid"],
  ["a registry that is down", [{ status: 503, times: 4, path: /referrers/ }], "RegistryUnavailable"],
])("%s", async (_, faults, code) => {
  await start();
  registry.faults.add(...faults);
  await expect(list()).rejects.toMatchObject({ code });
});

test("too many referrers are refused", async () => {
  await start();
  await expect(list(1)).rejects.toMatchObject({ code: "TooManyManifests" });
});

test("a sha512 subject's fallback tag is cut to fit", async () => {
  await start({ referrers: false });
  const digest = `sha512:${"ab".repeat(64)}` as const;
  registry.store.putIndex("a", [signature], { tag: `sha512-${"ab".repeat(32)}` });
  expect(await testRepository(registry, "a", { client }).referrers(digest, signal)).toHaveLength(1);
});
