import { array, assert, asyncProperty, constantFrom, oneof, option, record, tuple, uniqueArray } from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultLimits } from "../../config.ts";
import { explore } from "../../explore/explore.ts";
import type { OperationName } from "../../operation/operation.ts";
import { chooser } from "../../select/choice.ts";
import { runStrata } from "../../testing/command-io.ts";
import { testRepository } from "../../testing/registry/client.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { buildModel, sourceOf } from "./build-model.ts";
import { deriveSpec } from "./derive.ts";
import { manifestYaml } from "./spec-yaml.ts";

const signal = new AbortController().signal;
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(async () => await registry.close());

interface LayerPlan {
  readonly mediaType: string;
  readonly title: string | undefined;
}

/** Config types of layouts with each of the operations, of images and of none that is known. */
const configTypes = [
  "application/vnd.oci.empty.v1+json",
  "application/vnd.example.unknown",
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.timoni.config.v1+json",
  "application/vnd.cncf.helm.config.v1+json",
  "application/vnd.cncf.openpolicyagent.config.v1+json",
  "application/vnd.cncf.flux.config.v1+json",
];
/** Archives and files, content of those layouts and of none. */
const layerTypes = [
  "application/vnd.timoni.content.v1.tar+gzip",
  "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
  "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego",
  "application/vnd.cncf.flux.content.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/x.tar",
  "text/yaml",
];
const operations = [undefined, "Copy", "Extract", "ExtractAll"] as const;

const someLayers = array(
  record<LayerPlan>({
    mediaType: constantFrom(...layerTypes),
    title: option(constantFrom("a.yaml", "b.yaml", "dir/c.md", "dir"), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 3 },
);
/** Layers of one type, which their titles alone tell apart. */
const alike = tuple(
  constantFrom(...layerTypes),
  uniqueArray(constantFrom("a.yaml", "b.yaml", "c.yaml"), { minLength: 2 }),
).map(([mediaType, titles]): LayerPlan[] => titles.map((title) => ({ mediaType, title })));
const artifact = record({ config: constantFrom(...configTypes), layers: oneof(someLayers, alike) });

let count = 0;
function put(config: string, layers: readonly LayerPlan[]): string {
  const repository = `picks/${++count}`;
  registry.store.putArtifact(repository, {
    tag: "1",
    config: { mediaType: config, bytes: Buffer.from(config.includes("empty") ? "{}" : '{"a":1}') },
    layers: layers.map(({ mediaType, title }, at) => ({
      mediaType,
      bytes: Buffer.from(`layer ${at}`),
      ...(title !== undefined && { annotations: { "org.opencontainers.image.title": title } }),
    })),
  });
  return repository;
}

async function pageOf(repository: string) {
  const source = testRepository(registry, repository);
  const root = await source.resolve("1", signal);
  const explored = await explore(source, root, { referrers: false, limits: defaultLimits, signal });
  return buildModel(explored, sourceOf({ kind: "registry", registry: registry.host, repository, tag: "1" }, true));
}

/** The offsets and the operation that a spec leads to. */
async function dryRun(yaml: string): Promise<{ operation: string; offsets: number[] }> {
  const args = ["build", "-f", "-", "--dry-run", "--output", "json"];
  const { code, stdout, stderr } = await runStrata(args, { stdin: yaml });
  expect([code, stderr], yaml).toEqual([0, ""]);
  const { operation, layers } = JSON.parse(stdout) as { operation: string; layers: { offset: number }[] };
  return { operation, offsets: layers.map(({ offset }) => offset) };
}

function subsets(items: readonly number[]): number[][] {
  return Array.from({ length: 2 ** items.length - 1 }, (_, at) => items.filter((_, bit) => ((at + 1) >> bit) & 1));
}

it("a spec from the page takes exactly what was ticked, by build --dry-run", { timeout: 120_000 }, async () => {
  const check = async (config: string, layers: readonly LayerPlan[], operation: OperationName | undefined) => {
    const { model, layersOfManifest } = await pageOf(put(config, layers));
    for (const picked of subsets([...model.layers.keys()])) {
      const spec = deriveSpec({ model, chooser }, picked, operation);
      if (typeof spec === "string") {
        // One layer alone can always be told by its place.
        expect(picked.length > 1 || operation === "ExtractAll", spec).toBe(true);
        continue;
      }
      const yaml = manifestYaml(model, { name: "a", namespace: "", interval: "10m" }, spec);
      const ticked = layersOfManifest[0]!.filter(({ number }) => picked.includes(number));
      const taken = await dryRun(yaml);
      expect(taken.offsets, yaml).toEqual(ticked.map(({ layer }) => layer.ordinal));
      if (operation !== undefined) expect(taken.operation, yaml).toBe(operation);
    }
  };
  await assert(
    asyncProperty(artifact, constantFrom(...operations), async ({ config, layers }, operation) =>
      check(config, layers, operation),
    ),
    { numRuns: 60 },
  );
});

it.each([
  ["application/vnd.example.unknown", "application/x.tar+gzip"],
  ["application/vnd.oci.empty.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"],
])("two titled archives of one type are both taken: %s, %s", async (config, mediaType) => {
  const titled = ["a.yaml", "b.yaml"].map((title) => ({ mediaType, title }));
  const { model } = await pageOf(put(config, [...titled, { mediaType: "text/yaml", title: "c.yaml" }]));
  const spec = deriveSpec({ model, chooser }, [0, 1], undefined);
  expect(spec).toMatchObject({ layerSelector: { mediaType, operation: "ExtractAll" } });
  const yaml = manifestYaml(model, { name: "a", namespace: "", interval: "10m" }, spec as Exclude<typeof spec, string>);
  expect(await dryRun(yaml)).toEqual({ operation: "ExtractAll", offsets: [0, 1] });
});
