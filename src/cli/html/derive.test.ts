import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { parseArtifactRepository } from "../../../api/v1beta1/parse.ts";
import { defaultLimits } from "../../config.ts";
import { explore, type Explored } from "../../explore/explore.ts";
import type { Descriptor } from "../../oci/types.ts";
import type { WritableRepository } from "../../oci/content.ts";
import type { OperationName } from "../../operation/operation.ts";
import { chooser } from "../../select/choice.ts";
import { selectLayers } from "../../select/select.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { testRepository } from "../../testing/registry/client.ts";
import type { BuiltModel } from "./built-model.ts";
import { buildModel, objectName, sourceOf } from "./build-model.ts";
import { deriveSpec } from "./derive.ts";
import type { PageModel } from "./model.ts";
import { manifestYaml, yamlScalar } from "./spec-yaml.ts";

const signal = new AbortController().signal;
const naming = { name: "app", namespace: "apps", interval: "10m" };
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  addHandmade();
});
afterAll(async () => await registry.close());

/** Shapes that the fixtures do not have. */
function addHandmade(): void {
  const { store } = registry;
  const blob = (name: string, mediaType = "text/plain", annotations?: Record<string, string>) => ({
    mediaType,
    bytes: Buffer.from(name),
    ...(annotations && { annotations }),
  });
  const title = (name: string) => ({ "org.opencontainers.image.title": name });
  const config = { mediaType: "application/vnd.example.unknown", bytes: Buffer.from('{"a":1}') };
  store.putArtifact("alike", { tag: "1", config, layers: ["a", "b", "c"].map((name) => blob(name)) });
  store.putArtifact("files", {
    tag: "1",
    layers: [
      blob("1", "text/yaml", title("a.yaml")),
      blob("2", "text/yaml", title("dir/b.yaml")),
      blob("3", "text/markdown", title("dir/readme.md")),
    ],
  });
  store.putArtifact("config", { tag: "1", config, layers: [] });
  const image = (name: string) =>
    store.putArtifact("attested", {
      config: { mediaType: "application/vnd.oci.image.config.v1+json", bytes: Buffer.from(name) },
      layers: [blob(name, "application/vnd.oci.image.layer.v1.tar+gzip")],
    });
  const [amd, arm, note] = [
    image("amd"),
    image("arm"),
    store.putArtifact("attested", { layers: [blob("in", "application/vnd.in-toto+json")] }),
  ];
  store.putIndex(
    "attested",
    [
      { ...amd, platform: { os: "linux", architecture: "amd64" } },
      { ...arm, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
      {
        ...note,
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      },
    ],
    { tag: "1" },
  );
  const twin = (name: string, annotations: Record<string, string>) => ({
    ...store.putArtifact("roles", { config, layers: [blob(name)] }),
    annotations,
  });
  store.putIndex(
    "roles",
    [
      twin("x", { role: "a*", region: "eu" }),
      twin("y", { role: "ab", region: "eu" }),
      twin("z", { role: "ab", region: "us" }),
    ],
    { tag: "1" },
  );
}

async function modelOf(
  repository: string,
  tag: string,
): Promise<{ built: BuiltModel; source: WritableRepository; explored: Explored }> {
  const source = testRepository(registry, repository);
  const explored = await explore(source, await source.resolve(tag, signal), {
    referrers: false,
    limits: defaultLimits,
    signal,
  });
  const reference = { kind: "registry", registry: registry.host, repository, tag } as const;
  return { built: buildModel(explored, sourceOf(reference, true)), source, explored };
}

/** Applies what the page wrote, as the controller would; the layers as numbers of the model. */
async function apply(
  yaml: string,
  { built, source }: { built: BuiltModel; source: WritableRepository },
): Promise<number[]> {
  const parsed = parseArtifactRepository(parse(yaml));
  expect(parsed).toHaveProperty("resource");
  const { spec } = (parsed as { resource: ArtifactRepository }).resource;
  const root: Descriptor = await source.resolve(spec.ref?.digest ?? spec.ref?.tag ?? "latest", signal);
  const { indexSelector, layerSelector } = spec;
  const { layers } = await selectLayers({
    root,
    repository: source,
    limits: defaultLimits,
    signal,
    indexSelector,
    layerSelector,
  });
  return layers.map((layer) => {
    const manifest = built.manifestNumbers.get(layer.node.descriptor.digest)!;
    return built.layersOfManifest[manifest]!.find((entry) => entry.layer.ordinal === layer.ordinal)!.number;
  });
}

function written(model: PageModel, picked: readonly number[], operation?: OperationName): string | undefined {
  const spec = deriveSpec({ model, chooser }, picked, operation);
  return typeof spec === "string" ? undefined : manifestYaml(model, naming, spec);
}

const specOf = (yaml: string | undefined) => (parse(yaml ?? "{}") as { spec?: Record<string, unknown> }).spec;

const artifacts = [
  "product:1.0.0",
  "image:1.0.0",
  "twin:1.0.0",
  "helm/chart:0.1.0",
  "timoni/mod:1.0.0",
  "kyverno/policies:1.0.0",
  "oras/files:1.0.0",
  "flux/app:1.0.0",
  "alike:1",
  "files:1",
  "config:1",
  "attested:1",
  "roles:1",
];
const versions = artifacts.map((artifact) => artifact.split(":") as [string, string]);

describe("what is picked is what is taken", () => {
  it.each(versions)("one layer of %s:%s, with every operation", async (repository, tag) => {
    const found = await modelOf(repository, tag);
    const { model } = found.built;
    for (const layer of model.layers.keys()) {
      for (const operation of [undefined, "Copy", "Extract"] as const) {
        const yaml = written(model, [layer], operation);
        expect(yaml, `layer ${layer}, ${operation}`).toBeDefined();
        expect(await apply(yaml!, found)).toEqual([layer]);
      }
    }
  });

  it.each(versions)("every set of layers of one manifest of %s:%s that can be told apart", async (repository, tag) => {
    const found = await modelOf(repository, tag);
    const { model } = found.built;
    let told = 0;
    for (const { layers } of model.manifests) {
      for (const picked of subsets(layers)) {
        const yaml = written(model, picked);
        if (yaml === undefined) continue;
        told++;
        expect((await apply(yaml, found)).toSorted((a, b) => a - b)).toEqual(picked);
      }
    }
    expect(told).toBeGreaterThan(0);
  });

  it.each(versions)("every set of manifests of %s:%s that can be told apart", async (repository, tag) => {
    const found = await modelOf(repository, tag);
    const { model } = found.built;
    for (const manifests of subsets([...model.manifests.keys()])) {
      const picked = manifests.flatMap((manifest) => model.manifests[manifest]!.pool);
      const yaml = written(model, picked, manifests.length > 1 ? "ExtractAll" : undefined);
      if (yaml !== undefined)
        expect((await apply(yaml, found)).toSorted((a, b) => a - b)).toEqual(picked.toSorted((a, b) => a - b));
    }
  });
});

function subsets(items: readonly number[]): number[][] {
  return Array.from({ length: 2 ** items.length - 1 }, (_, at) => items.filter((_, bit) => ((at + 1) >> bit) & 1));
}

describe("the shortest spec", () => {
  it.each([
    ["what is taken anyway", "image:1.0.0", [0, 1, 2], undefined, {}],
    ["the other platform", "image:1.0.0", [4, 5, 6], undefined, { indexSelector: { platform: "linux/arm64" } }],
    ["both platforms", "image:1.0.0", [0, 1, 2, 4, 5, 6], undefined, { indexSelector: { match: "All" } }],
    [
      "a config",
      "image:1.0.0",
      [3],
      undefined,
      { layerSelector: { mediaType: "application/vnd.oci.image.config.v1+json" } },
    ],
    ["a whole ORAS artifact", "files:1", [0, 1, 2], undefined, {}],
    ["files by their extension", "files:1", [0, 1], undefined, { layerSelector: { mediaType: "text/yaml" } }],
    [
      "files by their directory",
      "files:1",
      [1, 2],
      undefined,
      { layerSelector: { annotations: { "org.opencontainers.image.title": "dir/*" } } },
    ],
    [
      "one of layers that are alike",
      "alike:1",
      [1],
      undefined,
      { layerSelector: { mediaType: "text/plain", offset: 1, operation: "Copy" } },
    ],
    ["all that are alike", "alike:1", [0, 1, 2], undefined, { layerSelector: { operation: "ExtractAll" } }],
    [
      "two annotations",
      "roles:1",
      [2],
      undefined,
      { indexSelector: { annotations: { role: "ab", region: "eu" } }, layerSelector: { operation: "Copy" } },
    ],
  ] as const)("for %s", async (_, artifact, picked, operation, expected) => {
    const [repository, tag] = artifact.split(":") as [string, string];
    const { model } = (await modelOf(repository, tag)).built;
    expect(specOf(written(model, picked, operation))).toEqual({
      url: model.url,
      insecure: true,
      interval: "10m",
      ref: { tag },
      ...expected,
    });
  });

  it.each([
    ["twins", "twin", "1.0.0", 1],
    ["a value that is a glob for others", "roles", "1", 0],
  ])("is a digest where nothing else tells a manifest: %s", async (_, repository, tag, manifest) => {
    const { model } = (await modelOf(repository, tag)).built;
    const { digest, pool } = model.manifests[manifest]!;
    expect(specOf(written(model, pool))).toMatchObject({ ref: { digest } });
  });
});

describe("what cannot be said", () => {
  it.each([
    ["nothing", "alike:1", [], undefined],
    ["two of three layers that are alike", "alike:1", [0, 1], undefined],
    ["two layers for Copy", "files:1", [0, 1], "Copy"],
    ["a part of each of two manifests", "product:1.0.0", [0, 4], "Extract"],
  ] as const)("is a sentence: %s", async (_, artifact, picked, operation) => {
    const [repository, tag] = artifact.split(":") as [string, string];
    const { model } = (await modelOf(repository, tag)).built;
    expect(deriveSpec({ model, chooser }, picked, operation)).toMatch(/\.$/);
  });

  it("is a digest alone where a part of the index is missing", async () => {
    const { store } = registry;
    const there = store.putArtifact("sparse", { layers: [{ mediaType: "text/plain", bytes: Buffer.from("x") }] });
    store.putIndex(
      "sparse",
      [
        { ...there, digest: `sha256:${"0".repeat(64)}` },
        { ...there, artifactType: "text/x" },
      ],
      { tag: "1" },
    );
    const found = await modelOf("sparse", "1");
    expect(found.built.model.usualLayers).toEqual([]);
    const yaml = written(found.built.model, [0])!;
    expect(specOf(yaml)?.["ref"]).toEqual({ digest: there.digest });
    expect(await apply(yaml, found)).toEqual([0]);
  });

  it("is too much for a page", async () => {
    const layers = Array.from({ length: 5001 }, (_, at) => ({
      mediaType: "text/plain",
      bytes: Buffer.from(String(at)),
    }));
    const manifests = [1, 2, 3, 4].map((number) =>
      registry.store.putArtifact("huge", { layers, annotations: { number: String(number) } }),
    );
    registry.store.putIndex("huge", manifests, { tag: "1" });
    await expect(modelOf("huge", "1")).rejects.toMatchObject({ code: "TooManyManifests" });
  });
});

describe("YAML", () => {
  it.each([
    "plain",
    "1.0.0",
    "1e3",
    "true",
    "No",
    "null",
    "~",
    "",
    " x",
    "a: b",
    "a #b",
    "*",
    "a*",
    "- x",
    "{x}",
    '"q"',
    "a\nb",
    "\u0085\u2028\u202e",
    "\u{e0001}",
    "sha256:ab",
    "oci://h:5000/a/b",
    "a:",
    "é",
    "=",
    "0x1f",
    "12:30:45",
    "<<",
    "application/vnd.a+json",
  ])("reads %j back", (text) => {
    expect(parse(`- ${yamlScalar(text)}`)).toEqual([text]);
    expect(parse(`${yamlScalar(text)}: 1`)).toEqual({ [text]: 1 });
    expect(yamlScalar(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  it.each([
    ["team/my.app__x", "my-app-x"],
    ["a".repeat(80), "a".repeat(63)],
    ["--", "artifact"],
  ])("names the object of %s", (repository, name) => {
    expect(objectName(repository)).toBe(name);
  });
});
