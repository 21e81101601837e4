import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { array, assert, asyncProperty, constantFrom, record, subarray, type Arbitrary } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { defaultLimits } from "../config.ts";
import { codeOf } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Layer, ManifestNode } from "../oci/types.ts";
import type { LayoutRules } from "../operation/operation.ts";
import type { Selection } from "../select/selection.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { buildArtifact, type BuildContext } from "./build.ts";
import { recipeOf, recipesFor, type Recipe } from "./recipe.ts";
import { selectContent } from "./select.ts";

const titleKey = "org.opencontainers.image.title";
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-recipe-"));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

describe("a recipe", () => {
  const node = (more: Partial<ManifestNode["descriptor"]> = {}, rest: Partial<ManifestNode> = {}): ManifestNode => ({
    descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256Of("m"), size: 9, ...more },
    manifest: {
      kind: "manifest",
      mediaType: "",
      config: { mediaType: "a/b", digest: sha256Of("c"), size: 1 },
      layers: [],
    },
    path: [],
    effectiveType: "a/b",
    effectiveAnnotations: { [titleKey]: "one" },
    ...rest,
  });
  const layer = (more: Partial<Layer["descriptor"]> = {}, of = node(), ordinal = 0): Layer => ({
    descriptor: { mediaType: "text/plain", digest: sha256Of("l"), size: 1, annotations: { [titleKey]: "a" }, ...more },
    node: of,
    ordinal,
  });
  const base: Recipe = {
    repository: "registry.example/team/app",
    operation: "ExtractAll",
    options: { layout: "Merge", onConflict: "Fail", symlinks: "Skip", tag: "1.0.0", repository: "team/app" },
    layers: [layer(), layer({ digest: sha256Of("l2") })],
  };
  const template: Recipe = { ...base, options: { ...base.options, filename: "{tag}-{hex}{ext}" } };
  const perManifest: Recipe = { ...base, options: { ...base.options, layout: "ManifestPerDir" } };
  const other = { digest: sha256Of("other") };
  const withOptions = (options: Partial<Recipe["options"]>, of = base): Recipe => ({
    ...of,
    options: { ...of.options, ...options },
  });
  const withLayers = (...layers: Layer[]): Partial<Recipe> => ({ layers });
  const second = base.layers[1]!;
  const rules = (more: Partial<LayoutRules>): Recipe =>
    withOptions({ rules: { isExecutable: () => false, holdsOneFile: () => false, configs: [], ...more } });
  const config = { config: layer({ digest: sha256Of("c") }), filesOf: () => ({}) };

  it.each<[string, Recipe, Recipe]>([
    ["the repository", base, { ...base, repository: "registry.example/team/other" }],
    ["the operation", base, { ...base, operation: "Extract" }],
    ["the layout", base, perManifest],
    ["onConflict", base, withOptions({ onConflict: "Keep" })],
    ["symlinks", base, withOptions({ symlinks: "Follow" })],
    ["the filename", base, withOptions({ filename: "a" })],
    ["the stem", base, withOptions({ stem: "a" })],
    ["what is ignored", base, withOptions({ ignore: "/docs" })],
    ["nothing ignored", base, withOptions({ ignore: "" })],
    ["raw layers as files", base, withOptions({ copiesRaw: true })],
    ["the path of the repository", base, withOptions({ repository: "team/other" })],
    ["the name that the layout gives", base, withOptions({ nameOf: () => "a" })],
    [
      "the tag in that name",
      withOptions({ nameOf: (_, { tag }) => tag }),
      withOptions({ nameOf: (_, { tag }) => tag, tag: "2" }),
    ],
    ["programs", rules({}), rules({ isExecutable: () => true })],
    ["archives of one file", rules({}), rules({ holdsOneFile: () => true })],
    ["configs", rules({}), rules({ configs: [config] })],
    ["another config", rules({ configs: [config] }), rules({ configs: [{ ...config, config: layer(other) }] })],
    ["the digest of a layer", base, { ...base, ...withLayers(layer(other), second) }],
    ["the size of a layer", base, { ...base, ...withLayers(layer({ size: 2 }), second) }],
    ["the type of a layer", base, { ...base, ...withLayers(layer({ mediaType: "text/html" }), second) }],
    ["the title of a layer", base, { ...base, ...withLayers(layer({ annotations: { [titleKey]: "b" } }), second) }],
    ["the place of a layer", base, { ...base, ...withLayers(layer({}, node(), 3), second) }],
    ["the order of the layers", base, { ...base, ...withLayers(second, layer()) }],
    ["a layer less", base, { ...base, ...withLayers(second) }],
    [
      "which layers are of one manifest",
      { ...base, ...withLayers(...both(node(), node())) },
      { ...base, ...withLayers(...both(node())) },
    ],
    ["the tag in a template", template, withOptions({ tag: "2.0.0" }, template)],
    ["the manifest in a template", of(template, node()), of(template, node(other))],
    ["the manifest that is a directory", of(perManifest, node()), of(perManifest, node(other))],
    [
      "its platform",
      of(perManifest, node()),
      of(perManifest, node({ platform: { os: "linux", architecture: "arm64" } })),
    ],
    ["its title", of(perManifest, node()), of(perManifest, node({}, { effectiveAnnotations: {} }))],
    ["its type", of(template, node()), of(template, node({}, { effectiveType: "c/d" }))],
  ])("is another one with %s", (_, one, two) => {
    expect(recipeOf(one)).not.toBe(recipeOf(two));
  });

  it.each<[string, Recipe, Recipe]>([
    ["another tag", base, withOptions({ tag: "2.0.0" })],
    ["another manifest with the same layers", of(base, node()), of(base, node(other, { effectiveAnnotations: {} }))],
    ["a name without variables", withOptions({ filename: "a" }), withOptions({ filename: "a", tag: "2.0.0" })],
  ])("is the same with %s", (_, one, two) => {
    expect(recipeOf(one)).toBe(recipeOf(two));
  });

  function both(one: ManifestNode, two = one): Layer[] {
    return [layer({}, one), layer({ digest: sha256Of("l2") }, two)];
  }
  function of(recipe: Recipe, manifest: ManifestNode): Recipe {
    return { ...recipe, layers: recipe.layers.map((found) => ({ ...found, node: manifest })) };
  }
});

describe("artifacts with equal recipes", () => {
  const contents: Readonly<Record<string, Buffer>> = {
    tree: gzipSync(tarOf({ name: "a.yaml", content: "a" }, { name: "docs/b.md", content: "b" })),
    // Needs to be written anew.
    linked: gzipSync(tarOf({ name: "a.yaml", content: "b" }, { name: "link", type: "2", link: "a.yaml" })),
    text: Buffer.from("text"),
  };
  const types = [
    "application/vnd.cncf.flux.content.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "text/plain",
  ];
  const ofTwo = <T>(value: Arbitrary<T>): Arbitrary<T[]> => array(value, { minLength: 2, maxLength: 2 });
  /** Every field by itself, so that two wishes may differ in one alone. */
  const fields = {
    tag: constantFrom("1.0.0", "2.0.0"),
    type: constantFrom("application/vnd.cncf.flux.config.v1+json", "application/vnd.test"),
    count: constantFrom(1, 1, 2),
    contents: ofTwo(constantFrom(...Object.keys(contents))),
    types: ofTwo(constantFrom(...types)),
    titles: ofTwo(constantFrom(undefined, undefined, "a.txt", "d/b.tar.gz")),
    annotations: constantFrom({}, { [titleKey]: "bundle" }, { "org.opencontainers.image.created": "now" }),
    isIndexed: constantFrom(true, false),
    operation: constantFrom(undefined, "Copy", "Extract", "ExtractAll", "ExtractAll"),
    layout: constantFrom(undefined, undefined, "LayerPerDir", "ManifestPerDir"),
    onConflict: constantFrom("Keep", "Overwrite"),
    symlinks: constantFrom("Skip", "Follow"),
    mediaType: constantFrom(undefined, undefined, undefined, "application/vnd.cncf.flux.content.v1.tar+gzip"),
    filename: constantFrom(undefined, undefined, undefined, "fixed", "{tag}{ext}", "{hex}{ext}", "{offset}-{digest}"),
    ignore: constantFrom(undefined, "/docs"),
  };
  const wish = record(fields);
  type Wish = typeof wish extends Arbitrary<infer W> ? W : never;
  const keys = Object.keys(fields) as (keyof typeof fields)[];

  const stated = (values: object): object =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

  function contextOf(wanted: Wish): BuildContext {
    const { tag, type, count, annotations, isIndexed, ignore } = wanted;
    const { operation, layout, onConflict, symlinks, mediaType, filename } = wanted;
    const repository = new MemoryRepository();
    const layers = wanted.contents.slice(0, count).map((content, at) => {
      const annotations = stated({ [titleKey]: wanted.titles[at] });
      return Object.assign(repository.blob(contents[content]!, wanted.types[at]), { annotations });
    });
    const root = repository.manifest({ config: repository.blob("{}", type), layers, annotations });
    const listed = { ...root, platform: { os: "linux", architecture: "arm64" } };
    const layerSelector = stated({ operation, layout, onConflict, symlinks, mediaType, filename });
    return {
      spec: stated({ url: "oci://memory.test/repository", layerSelector, ignore }) as ArtifactRepositorySpec,
      repository,
      resolved: { tag, root: isIndexed ? repository.manifest({ manifests: [listed] }) : root },
      repositoryPath: "repository",
      dir: "",
      limits: defaultLimits,
      signal: new AbortController().signal,
    };
  }

  /** Without a layer, there is nothing to be made. */
  async function chosen(
    wanted: Wish,
  ): Promise<{ readonly context: BuildContext; readonly selection: Selection } | undefined> {
    const context = contextOf(wanted);
    try {
      return { context, selection: await selectContent(context) };
    } catch {
      return undefined;
    }
  }

  /** What comes out, and what was done. */
  async function outcome({ context, selection }: NonNullable<Awaited<ReturnType<typeof chosen>>>): Promise<object> {
    try {
      const at = await mkdtemp(join(dir, "build-"));
      const { blob, ...rest } = (await buildArtifact({ ...context, dir: at }, selection)).result;
      const { path: _, ...content } = blob;
      return { content, ...rest };
    } catch (error) {
      return { failed: codeOf(error) };
    }
  }

  it("have equal bytes, and leave out the same", async () => {
    let equal = 0;
    await assert(
      asyncProperty(wish, wish, subarray([...keys], { minLength: 1, maxLength: 2 }), async (one, fresh, changed) => {
        const [before, after] = [
          await chosen(one),
          await chosen({ ...one, ...Object.fromEntries(changed.map((key) => [key, fresh[key]])) }),
        ];
        if (before === undefined || after === undefined) return;
        const stored = recipesFor(before.context, before.selection);
        const wanted = Object.values(recipesFor(after.context, after.selection));
        if (!Object.values(stored).some((recipe) => wanted.includes(recipe))) return;
        const made = await outcome(before);
        const recipe = "operation" in made && made.operation === "Copy" ? stored.copied : stored.extracted;
        if ("failed" in made || !wanted.includes(recipe)) return;
        equal += 1;
        expect(await outcome(after)).toEqual(made);
      }),
      { numRuns: 200 },
    );
    expect(equal).toBeGreaterThan(10);
  }, 60_000);
});
