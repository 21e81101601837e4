import { afterAll, afterEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
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

const list = (artifactType?: string, maxManifests = defaultLimits.maxManifests): Promise<readonly Descriptor[]> =>
  testRepository(registry, "a", { client, limits: { ...defaultLimits, maxManifests } }).referrers(
    root.digest,
    artifactType,
    signal,
  );

test("all referrers, and those of one type", async () => {
  await start();
  expect((await list()).map((found) => found.artifactType)).toEqual(["application/signature", "application/sbom"]);
  expect(await list("application/signature")).toEqual([
    { ...signature, artifactType: "application/signature", annotations: { k: "v" } },
  ]);
  expect(await list("application/none")).toEqual([]);
  expect(registry.requests).toHaveLength(3);
});

test("a registry that does not filter is filtered here", async () => {
  await start({ filtersReferrers: false });
  expect((await list("application/sbom")).map((found) => found.artifactType)).toEqual(["application/sbom"]);
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
  expect((await list("application/signature")).map((found) => found.digest)).toEqual([signature.digest]);
  expect(await list("application/sbom")).toEqual([]);
});

test.each<[string, object]>([
  ["400", { status: 400 }],
  ["405", { status: 405 }],
  ["a web page", { status: 200, body: "<html>", headers: { "content-type": "text/html" } }],
])("%s counts as: no API", async (_, fault) => {
  await start();
  registry.store.putIndex("a", [signature], { tag: root.digest.replace(":", "-") });
  registry.faults.add(fault);
  expect((await list()).map((found) => found.digest)).toEqual([signature.digest]);
});

test("the fixtures signed with real tools name their signatures", async () => {
  registry = await startRegistry({ fixtures: true, referrers: false });
  for (const [name, type] of [
    ["signed/bundle", "application/vnd.dev.sigstore.bundle.v0.3+json"],
    ["signed/notation-jws", "application/vnd.cncf.notary.signature"],
  ] as const) {
    const repository = testRepository(registry, name, { client });
    const subject = await repository.resolve("1.0.0", signal);
    expect((await repository.referrers(subject.digest, type, signal)).map((found) => found.artifactType)).toEqual([
      type,
    ]);
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
  ["a broken index", [{ body: '{"schemaVersion":2,"manifests":7}' }], "ManifestInvalid"],
  ["no access", [{ status: 403 }], "Forbidden"],
])("%s", async (_, faults, code) => {
  await start();
  registry.faults.add(...faults);
  await expect(list()).rejects.toMatchObject({ code });
});

test("too many referrers are refused", async () => {
  await start();
  await expect(list(undefined, 1)).rejects.toMatchObject({ code: "TooManyManifests" });
});

test("a sha512 subject's fallback tag is cut to fit", async () => {
  await start({ referrers: false });
  const digest = `sha512:${"ab".repeat(64)}` as const;
  registry.store.putIndex("a", [signature], { tag: `sha512-${"ab".repeat(32)}` });
  expect(await testRepository(registry, "a", { client }).referrers(digest, undefined, signal)).toHaveLength(1);
});
