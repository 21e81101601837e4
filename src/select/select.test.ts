import { beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { CodedError, codeOf } from "../errors.ts";
import { ociConfigType, ociEmptyType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { selectLayers } from "./select.ts";
import type { Decision, IndexSelector, LayerSelector, Selection, SelectRequest } from "./selection.ts";

const signal = new AbortController().signal;
const imageLayer = "application/vnd.oci.image.layer.v1.tar+gzip";

let repository: MemoryRepository;
beforeEach(() => {
  repository = new MemoryRepository();
});

interface Shape {
  readonly type?: string;
  readonly own?: Annotations;
  /** Media types, or media type and annotations. */
  readonly layers?: readonly (string | readonly [string, Annotations])[];
  readonly config?: string;
  /** What the index says of it. */
  readonly told?: Partial<Descriptor>;
}

let made = 0;
function manifest({
  type,
  own,
  layers = ["application/vnd.example.tar.gzip"],
  config = ociEmptyType,
  told,
}: Shape = {}): Descriptor {
  const body = {
    ...(type && { artifactType: type }),
    annotations: { ...own, made: `${made++}` },
    config: repository.blob("{}", config),
    layers: layers.map((layer, at) => {
      const [mediaType, annotations] = typeof layer === "string" ? [layer, undefined] : layer;
      return { ...repository.blob(`${at}`, mediaType), ...(annotations && { annotations }) };
    }),
  };
  return { ...repository.manifest(body), ...told };
}

const index = (...manifests: readonly Descriptor[]): Descriptor => repository.manifest({ manifests });
const platform = (text: string): Partial<Descriptor> => {
  const [os = "", architecture = "", variant] = text.split("/");
  return { platform: { os, architecture, ...(variant && { variant }) } };
};
const image = (at: string): Descriptor => manifest({ config: ociConfigType, layers: [imageLayer], told: platform(at) });

async function select(root: Descriptor, selectors: Partial<SelectRequest> = {}): Promise<Selection> {
  return await selectLayers({ root, repository, limits: defaultLimits, signal, ...selectors });
}

async function refusal(root: Descriptor, selectors: Partial<SelectRequest> = {}): Promise<CodedError> {
  const thrown = await select(root, selectors).then(
    (selection) => `took ${selection.layers.length} layers`,
    (error: unknown) => error,
  );
  if (thrown instanceof CodedError) return thrown;
  throw new Error(`no refusal: ${String(thrown)}`);
}

const digests = ({ nodes }: Selection): Digest[] => nodes.map(({ descriptor }) => descriptor.digest);
const ordinals = ({ layers }: Selection): number[] => layers.map(({ ordinal }) => ordinal);

/** Listed by an index and in no registry. */
let gone = 0;
const absent = (told: Partial<Descriptor> = {}): Descriptor => ({
  ...manifest(),
  digest: `sha256:${String(++gone).padStart(64, "0")}`,
  ...told,
});

describe("an index that lists what the registry does not have", () => {
  const [amd, arm, s390] = ["linux/amd64", "linux/arm64", "linux/s390x"];

  it.each<[string, () => Descriptor[], Partial<SelectRequest>, number]>([
    ["another platform than the usual", () => [image(amd), absent(platform(arm))], {}, 0],
    ["a platform before the usual", () => [absent(platform(arm)), absent(platform(s390)), image(amd)], {}, 2],
    [
      "a platform that is not asked for",
      () => [absent(platform(amd)), image(arm)],
      { indexSelector: { platform: arm } },
      1,
    ],
    [
      "what an attestation is about",
      () => [image(amd), absent({ annotations: { "vnd.docker.reference.type": "x" } })],
      {},
      0,
    ],
    [
      "something of another type",
      () => [manifest({ type: "a/b" }), absent({ artifactType: "c/d" })],
      { indexSelector: { artifactType: "a/*" } },
      0,
    ],
    [
      "something behind the first",
      () => [manifest({ type: "a/b" }), absent()],
      { indexSelector: { artifactType: "a/*", match: "First" } },
      0,
    ],
  ])("serves where that is %s", async (_, children, selectors, taken) => {
    const made = children();
    expect(digests(await select(index(...made), selectors))).toEqual([made[taken]!.digest]);
  });

  it.each<[string, () => Descriptor[], Partial<SelectRequest>, number]>([
    ["the usual platform", () => [absent(platform(amd)), image(arm)], {}, 0],
    [
      "the platform that is asked for",
      () => [image(amd), absent(platform(arm))],
      { indexSelector: { platform: arm } },
      1,
    ],
    [
      "one of two that match",
      () => [manifest({ type: "a/b" }), absent()],
      { indexSelector: { artifactType: "a/*" } },
      1,
    ],
    ["of no stated platform", () => [image(amd), absent()], {}, 1],
    ["one of all", () => [image(amd), absent(platform(arm))], { indexSelector: { match: "All" } }, 1],
    [
      "in front of the first",
      () => [absent(), manifest({ type: "a/b" })],
      { indexSelector: { artifactType: "a/*", match: "First" } },
      0,
    ],
    ["everything", () => [absent(platform(arm))], {}, 0],
    ["one of several platforms without the usual", () => [image(s390), absent(platform(arm))], {}, 1],
  ])("is refused where that is %s, with digest and platform", async (_, children, selectors, missing) => {
    const made = children();
    const error = await refusal(index(...made), selectors);
    expect(error.code).toBe("NotFound");
    const { digest, platform: stated } = made[missing]!;
    expect(error.message).toContain(digest);
    if (stated) expect(error.message).toContain(`${digest} for ${stated.os}/${stated.architecture}`);
  });
});

describe("manifests of an index", () => {
  it("takes the only one, however deep it lies", async () => {
    const only = manifest();
    expect(digests(await select(index(index(index(only)))))).toEqual([only.digest]);
  });

  it("takes linux/amd64 of those that differ only in platform, and says so", async () => {
    const [arm, amd] = [image("linux/arm64"), image("linux/amd64")];
    const selection = await select(index(arm, amd, image("windows/amd64")));
    expect(digests(selection)).toEqual([amd.digest]);
    expect(selection.note).toMatch(/linux\/amd64/);
  });

  it("takes plain linux/amd64 before its variants", async () => {
    const plain = image("linux/amd64");
    expect(digests(await select(index(image("linux/amd64/v3"), plain)))).toEqual([plain.digest]);
    expect((await refusal(index(image("linux/amd64/v2"), image("linux/amd64/v3")))).code).toBe("AmbiguousManifest");
  });

  it.each([
    { name: "none is for linux/amd64", children: () => [image("linux/arm64"), image("linux/s390x")] },
    { name: "two are for linux/amd64", children: () => [image("linux/amd64"), image("linux/amd64")] },
    {
      name: "their types differ",
      children: () => [image("linux/amd64"), manifest({ type: "application/x", told: platform("linux/arm64") })],
    },
    {
      name: "one states no platform",
      children: () => [image("linux/amd64"), manifest({ config: ociConfigType, layers: [imageLayer] })],
    },
    { name: "one is for unknown/unknown", children: () => [image("linux/amd64"), image("unknown/unknown")] },
  ])("is ambiguous where $name", async ({ children }) => {
    expect((await refusal(index(...children()))).code).toBe("AmbiguousManifest");
  });

  it("passes over those that hold nothing, unless a selector names them", async () => {
    const [full, bare, hollow] = [
      manifest(),
      manifest({ layers: [], type: "application/bare" }),
      manifest({ layers: [ociEmptyType] }),
    ];
    const root = index(bare, full, hollow);
    expect(digests(await select(root))).toEqual([full.digest]);
    expect((await refusal(root, { indexSelector: { artifactType: "application/bare" } })).code).toBe("NoLayerMatch");
    expect((await refusal(index(bare))).code).toBe("NoLayerMatch");
  });

  const wanted: readonly { name: string; selector: IndexSelector; wanted: Shape; others: readonly Shape[] }[] = [
    {
      name: "a glob on the type",
      selector: { artifactType: "application/vnd.a.*" },
      wanted: { type: "application/vnd.a.b+json" },
      others: [{ type: "application/vnd.ab" }],
    },
    {
      name: "the type of the config",
      selector: { artifactType: "application/c" },
      wanted: { config: "application/c" },
      others: [{ type: "application/x", config: "application/c" }],
    },
    {
      name: "the type its descriptor tells",
      selector: { artifactType: "application/told" },
      wanted: { type: "application/own", told: { artifactType: "application/told" } },
      others: [{ type: "application/told", told: { artifactType: "application/other" } }],
    },
    {
      name: "an annotation of its own",
      selector: { annotations: { role: "con*" } },
      wanted: { own: { role: "config" } },
      others: [{ own: { role: "data" } }, {}],
    },
    {
      name: "an annotation of its descriptor",
      selector: { annotations: { role: "config" } },
      wanted: { own: { role: "data" }, told: { annotations: { role: "config" } } },
      others: [{ own: { role: "config" }, told: { annotations: { role: "data" } } }],
    },
    {
      name: "every annotation",
      selector: { annotations: { a: "1", b: "*" } },
      wanted: { own: { a: "1" }, told: { annotations: { b: "" } } },
      others: [{ own: { a: "1" } }, { own: { b: "1" } }],
    },
    {
      name: "a platform",
      selector: { platform: "linux/arm64" },
      wanted: { told: platform("linux/arm64/v8") },
      others: [{ told: platform("linux/amd64") }, {}],
    },
    {
      name: "a platform with its variant",
      selector: { platform: "linux/arm/v6" },
      wanted: { told: platform("linux/arm/v6") },
      others: [{ told: platform("linux/arm/v7") }, { told: platform("linux/arm") }],
    },
    {
      name: "all conditions",
      selector: { platform: "linux/amd64", artifactType: "application/a", annotations: { b: "c" } },
      wanted: { type: "application/a", own: { b: "c" }, told: platform("linux/amd64") },
      others: [
        { type: "application/a", told: platform("linux/amd64") },
        { own: { b: "c" }, told: platform("linux/amd64") },
      ],
    },
  ];
  it.each(wanted)("selects by $name", async ({ selector, wanted, others }) => {
    const child = manifest(wanted);
    const root = index(...others.map(manifest), child);
    expect(digests(await select(root, { indexSelector: selector }))).toEqual([child.digest]);
    expect(digests(await select(index(root), { indexSelector: { ...selector, match: "One" } }))).toEqual([
      child.digest,
    ]);
  });

  it("One refuses several, First and All take them in walk order", async () => {
    const [a, b, c] = [
      manifest({ type: "application/a" }),
      manifest({ type: "application/a" }),
      manifest({ type: "application/c" }),
    ];
    const root = index(c, index(a), b);
    const match = (kind: IndexSelector["match"]): Partial<SelectRequest> => ({
      indexSelector: { artifactType: "application/a", match: kind },
      layerSelector: { operation: "ExtractAll" },
    });
    expect((await refusal(root, match("One"))).code).toBe("AmbiguousManifest");
    expect((await refusal(root, match(undefined))).code).toBe("AmbiguousManifest");
    expect(digests(await select(root, match("First")))).toEqual([a.digest]);
    expect(digests(await select(root, match("All")))).toEqual([a.digest, b.digest]);
    expect((await refusal(root, { indexSelector: { artifactType: "application/none", match: "All" } })).code).toBe(
      "NoManifestMatch",
    );
  });

  it("First and All without conditions still pass over what holds nothing", async () => {
    const [bare, a, b] = [manifest({ layers: [] }), manifest(), manifest()];
    const root = index(bare, a, b);
    expect(digests(await select(root, { indexSelector: { match: "First" } }))).toEqual([a.digest]);
    expect(
      digests(await select(root, { indexSelector: { match: "All" }, layerSelector: { operation: "ExtractAll" } })),
    ).toEqual([a.digest, b.digest]);
  });

  it("an index does not pass its type and annotations on", async () => {
    const root = repository.manifest({
      manifests: [manifest(), manifest()],
      artifactType: "application/a",
      annotations: { role: "config" },
    });
    expect((await refusal(root, { indexSelector: { artifactType: "application/a" } })).code).toBe("NoManifestMatch");
    expect((await refusal(root, { indexSelector: { annotations: { role: "config" } } })).code).toBe("NoManifestMatch");
  });

  it("an empty index has nothing to select", async () => {
    expect(await refusal(index())).toMatchObject({ code: "NoManifestMatch", details: { candidates: [], count: 0 } });
  });

  it("refuses a platform that is none", async () => {
    expect((await refusal(index(manifest()), { indexSelector: { platform: "linux" } })).code).toBe("InvalidSpec");
  });
});

describe("a root that is itself a manifest", () => {
  it("is taken whatever platform is asked for", async () => {
    expect((await select(manifest(), { indexSelector: { platform: "linux/arm64" } })).nodes).toHaveLength(1);
  });

  it.each<IndexSelector>([{ artifactType: "application/x" }, { annotations: { a: "b" } }])(
    "must still match %j",
    async (indexSelector) => {
      expect((await refusal(manifest({ type: "application/y", own: { a: "c" } }), { indexSelector })).code).toBe(
        "NoManifestMatch",
      );
      expect(
        (await select(manifest({ type: "application/x", own: { a: "b" } }), { indexSelector })).nodes,
      ).toHaveLength(1);
    },
  );
});

describe("what is fetched", () => {
  it("is nothing that a descriptor rules out", async () => {
    const typed = manifest({ told: { artifactType: "application/a", ...platform("linux/amd64") } });
    const ruledOut = [
      manifest({ told: { artifactType: "application/b", ...platform("linux/amd64") } }),
      manifest({ told: { artifactType: "application/a", ...platform("linux/arm64") } }),
      manifest({ told: { artifactType: "application/a" } }),
      { ...index(manifest()), ...platform("linux/arm64") },
      manifest({ told: { ...platform("linux/amd64"), annotations: { role: "other" } } }),
      manifest({
        told: {
          ...platform("linux/amd64"),
          annotations: { role: "x", "vnd.docker.reference.type": "attestation-manifest" },
        },
      }),
    ];
    const root = index(...ruledOut, typed);
    const taken = await select(root, {
      indexSelector: { platform: "linux/amd64", artifactType: "application/a", annotations: { role: "*x", made: "*" } },
    }).catch((error: unknown) => codeOf(error));
    // Only the last could still have the annotation in itself.
    expect(taken).toBe("NoManifestMatch");
    expect(repository.fetched).toEqual([root.digest, typed.digest]);
  });

  it("is a nested index that states another child's platform not, one that states none or unknown yes", async () => {
    const [a, b] = [index(image("linux/amd64")), { ...index(image("linux/arm64")), ...platform("unknown/unknown") }];
    const root = index(a, b);
    await refusal(root, { indexSelector: { platform: "linux/s390x" } });
    expect(repository.fetched.toSorted()).toEqual([root.digest, a.digest, b.digest].toSorted());
  });

  it("is neither a layer nor a config", async () => {
    const root = index(manifest());
    const { nodes } = await select(root);
    expect(repository.fetched).toEqual([root.digest, nodes[0]!.descriptor.digest]);
  });

  it("is nothing after the first match", async () => {
    const children = Array.from({ length: 30 }, (_, at) =>
      manifest({ type: at === 0 ? "application/a" : "application/b" }),
    );
    await select(index(...children), { indexSelector: { artifactType: "application/a", match: "First" } });
    expect(repository.fetched.length).toBeLessThan(12);
  });
});

describe("layers", () => {
  const a = (annotations?: Annotations): string | readonly [string, Annotations] =>
    annotations ? ["application/vnd.a.tar+gzip", annotations] : "application/vnd.a.tar+gzip";
  const b = "application/vnd.b.tar+gzip";
  const config = "application/vnd.a.config+json";
  const rows: readonly {
    name: string;
    layers: Shape["layers"];
    selector: LayerSelector;
    taken: readonly number[];
    operation: string;
  }[] = [
    { name: "a media type", layers: [a(), b], selector: { mediaType: b }, taken: [1], operation: "Extract" },
    {
      name: "a glob",
      layers: [b, a()],
      selector: { mediaType: "application/vnd.a.*" },
      taken: [1],
      operation: "Extract",
    },
    {
      name: "an annotation",
      layers: [a({ k: "x" }), a({ k: "dir/.y" })],
      selector: { annotations: { k: "dir*" } },
      taken: [1],
      operation: "Extract",
    },
    {
      name: "both",
      layers: [a({ k: "x" }), a(), [b, { k: "x" }]],
      selector: { mediaType: b, annotations: { k: "x" } },
      taken: [2],
      operation: "Extract",
    },
    {
      name: "the first match by default",
      layers: [b, a(), a()],
      selector: { mediaType: "*vnd.a*" },
      taken: [1],
      operation: "Extract",
    },
    {
      name: "the first match, with the offset that the schema fills in",
      layers: [b, a(), a()],
      selector: { mediaType: "*vnd.a*", offset: 0 },
      taken: [1],
      operation: "Extract",
    },
    {
      name: "an offset among the matching",
      layers: [b, a(), b, a()],
      selector: { mediaType: "*vnd.a*", offset: 1 },
      taken: [3],
      operation: "Extract",
    },
    {
      name: "an offset from the end",
      layers: [b, a(), b, a()],
      selector: { mediaType: "*vnd.a*", offset: -2 },
      taken: [1],
      operation: "Extract",
    },
    { name: "an offset alone", layers: [a(), b], selector: { offset: 1 }, taken: [1], operation: "Extract" },
    { name: "the last", layers: [a(), b], selector: { offset: -1, operation: "Copy" }, taken: [1], operation: "Copy" },
    {
      name: "ExtractAll alone",
      layers: [a(), b],
      selector: { operation: "ExtractAll", offset: 0 },
      taken: [0, 1],
      operation: "ExtractAll",
    },
    {
      name: "ExtractAll of the matching",
      layers: [a(), b, a()],
      selector: { mediaType: "*vnd.a*", operation: "ExtractAll" },
      taken: [0, 2],
      operation: "ExtractAll",
    },
    {
      name: "a layout, which means ExtractAll",
      layers: [a(), b],
      selector: { layout: "LayerPerDir" },
      taken: [0, 1],
      operation: "ExtractAll",
    },
    {
      name: "the config by its type, as a file",
      layers: [b],
      selector: { mediaType: config },
      taken: [-1],
      operation: "Copy",
    },
    {
      name: "the config, extracted where that is asked for",
      layers: [b],
      selector: { mediaType: config, operation: "ExtractAll" },
      taken: [-1],
      operation: "ExtractAll",
    },
    {
      name: "layers before the config of a matching type",
      layers: [b, a()],
      selector: { mediaType: "application/vnd.a*" },
      taken: [1],
      operation: "Extract",
    },
    {
      name: "no empty descriptor",
      layers: [ociEmptyType, a()],
      selector: { offset: -1 },
      taken: [1],
      operation: "Extract",
    },
  ];
  it.each(rows)("takes $taken by $name", async ({ layers, selector, taken, operation }) => {
    const selection = await select(manifest({ layers: layers!, config }), { layerSelector: selector });
    expect(ordinals(selection)).toEqual(taken);
    expect(selection.operation).toBe(operation);
    expect(selection.layout).toBe(selector.layout ?? "Merge");
  });

  it.each<{ name: string; shape: Shape; selector: LayerSelector | undefined; code: string }>([
    {
      name: "an unknown layout with several layers",
      shape: { layers: [a(), b] },
      selector: undefined,
      code: "AmbiguousLayer",
    },
    {
      name: "… also with the offset that the schema fills in",
      shape: { layers: [a(), b] },
      selector: { offset: 0 },
      code: "AmbiguousLayer",
    },
    {
      name: "… also with an operation",
      shape: { layers: [a(), a()] },
      selector: { operation: "Copy", offset: 0 },
      code: "AmbiguousLayer",
    },
    {
      name: "one layer of an image",
      shape: { layers: [imageLayer, imageLayer], config: ociConfigType },
      selector: { operation: "Extract" },
      code: "AmbiguousLayer",
    },
    {
      name: "a type that no layer has",
      shape: { layers: [a(), b] },
      selector: { mediaType: "application/x" },
      code: "NoLayerMatch",
    },
    {
      name: "an annotation that no layer has",
      shape: { layers: [a({ k: "v" })] },
      selector: { annotations: { k: "w" } },
      code: "NoLayerMatch",
    },
    {
      name: "an annotation, which no config has",
      shape: { layers: [b], config },
      selector: { annotations: { k: "*" } },
      code: "NoLayerMatch",
    },
    {
      name: "the empty descriptor",
      shape: { layers: [ociEmptyType] },
      selector: { mediaType: ociEmptyType },
      code: "NoLayerMatch",
    },
    { name: "no layers at all", shape: { layers: [] }, selector: undefined, code: "NoLayerMatch" },
    {
      name: "an offset beyond the matching",
      shape: { layers: [a(), b] },
      selector: { mediaType: b, offset: 1 },
      code: "OffsetOutOfRange",
    },
    {
      name: "an offset before the first",
      shape: { layers: [a(), b] },
      selector: { offset: -3 },
      code: "OffsetOutOfRange",
    },
  ])("refuses $name: $code", async ({ shape, selector, code }) => {
    expect((await refusal(manifest(shape), { layerSelector: selector })).code).toBe(code);
  });

  it("takes one layer of a layout whose layers belong together, where an offset says so", async () => {
    const root = manifest({ layers: [imageLayer, imageLayer, imageLayer], config: ociConfigType });
    const selection = await select(root, { layerSelector: { offset: -1 } });
    expect(ordinals(selection)).toEqual([2]);
    expect(selection.operation).toBe("ExtractAll");
  });

  it("of all matching manifests, Extract takes a layer only where one manifest gives any", async () => {
    const [one, two, without] = [manifest({ layers: [a()] }), manifest({ layers: [a()] }), manifest({ layers: [b] })];
    const all: Partial<SelectRequest> = { indexSelector: { match: "All" }, layerSelector: { mediaType: "*vnd.a*" } };
    expect(await refusal(index(one, two, without), all)).toMatchObject({
      code: "AmbiguousLayer",
      details: { suggestion: { layerSelector: { mediaType: "*vnd.a*", operation: "ExtractAll" } } },
    });
    const selection = await select(index(without, one), all);
    expect(digests(selection)).toEqual([one.digest]);
  });

  it("of all matching manifests of one layout, its operation is the default", async () => {
    const images = [image("linux/amd64"), image("linux/arm64")];
    const selection = await select(index(...images), { indexSelector: { match: "All" } });
    expect(selection).toMatchObject({ operation: "ExtractAll", profile: "image" });
    expect(digests(selection)).toEqual(images.map(({ digest }) => digest));
  });

  it("hands the name template on", async () => {
    expect((await select(manifest(), { layerSelector: { filename: "{hex}" } })).filename).toBe("{hex}");
  });
});

describe("decisions", () => {
  async function decisionsOf(root: Descriptor, selectors: Partial<SelectRequest> = {}): Promise<string[]> {
    const decisions: Decision[] = [];
    await select(root, { ...selectors, onDecision: (decision) => decisions.push(decision) }).catch(() => undefined);
    return decisions.map(
      ({ kind, depth, taken, label, reason }) => `${depth} ${kind} ${taken ? "+" : "-"} ${label}: ${reason}`,
    );
  }

  it("say for layers what took them or kept them out", async () => {
    const root = manifest({
      config: "application/vnd.cncf.helm.config.v1+json",
      layers: [
        "application/vnd.cncf.helm.chart.provenance.v1.prov",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
      ],
    });
    expect(await decisionsOf(root)).toEqual([
      "0 manifest + application/vnd.cncf.helm.config.v1+json: it is what the reference names",
      "0 layer - application/vnd.cncf.helm.chart.provenance.v1.prov: it is not content of the helm layout",
      "0 layer + application/vnd.cncf.helm.chart.content.v1.tar+gzip: it is the only layer to take of the helm layout",
    ]);
  });

  it("are told of before a refusal", async () => {
    const root = manifest({
      type: "application/x",
      layers: ["text/plain", ["text/csv", { "org.opencontainers.image.title": "b.csv" }]],
    });
    expect(await decisionsOf(root)).toEqual([
      "0 manifest + application/x: it is what the reference names",
      "0 layer - text/plain: it is one of 2 layers that match",
      "0 layer - b.csv text/csv: it is one of 2 layers that match",
    ]);
    expect(await decisionsOf(root, { layerSelector: { mediaType: "text/csv", offset: 1 } })).toEqual([
      "0 manifest + application/x: it is what the reference names",
      "0 layer - text/plain: its media type text/plain is not text/csv",
      "0 layer - b.csv text/csv: layerSelector.offset 1 names none of 1",
    ]);
    expect((await decisionsOf(index(manifest(), manifest()))).slice(1)).toEqual(
      Array(2).fill(`1 manifest - ${ociEmptyType}: it is one of 2 manifests that match`),
    );
  });

  it("name the config where it was taken", async () => {
    expect(
      await decisionsOf(manifest({ config: "application/c", layers: ["text/plain"] }), {
        layerSelector: { mediaType: "application/c" },
      }),
    ).toEqual([
      "0 manifest + application/c: it is what the reference names",
      "0 layer + application/c: it is the config",
      "0 layer - text/plain: its media type text/plain is not application/c",
    ]);
  });

  it("tell of what was met before a failure", async () => {
    const missing: Descriptor = { ...manifest(), digest: `sha256:${"0".repeat(64)}` };
    expect(await decisionsOf(index(manifest({ type: "application/x" }), missing))).toEqual([
      "0 index + application/vnd.oci.image.index.v1+json: it is what the reference names",
      "1 manifest - application/x: it is the only manifest to take",
      "1 manifest - application/vnd.oci.image.manifest.v1+json: the registry does not have it",
    ]);
  });

  it("carry no control characters from a registry", async () => {
    const evil = "application/\u001b[2Jx";
    for (const line of await decisionsOf(
      index(manifest({ type: evil }), manifest({ own: { evil } }), manifest({ told: { artifactType: evil } })),
      { indexSelector: { artifactType: "x\u0007", annotations: { evil: "y" } } },
    )) {
      expect(line).not.toMatch(/\p{Cc}/u);
    }
  });
});

describe("a registry that sizes its annotations for the selector's pattern", () => {
  it("keeps nothing else waiting", async () => {
    const value = "a".repeat(65_000);
    const own = { k: value };
    const layers = Array.from({ length: 3 }, (): [string, Annotations] => ["application/vnd.example.x", { k: value }]);
    const root = index(...Array.from({ length: 15 }, () => manifest({ own, layers, told: { annotations: own } })));
    const hostile = { k: `*${"a?".repeat(500)}b*` };
    let turns = 0;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const started = performance.now();
    const indexSelector: IndexSelector = { annotations: { made: "*" }, match: "All" };
    const error = await refusal(root, { indexSelector, layerSelector: { annotations: hostile } });
    const took = performance.now() - started;
    clearImmediate(next);
    expect(error.code).toBe("NoLayerMatch");
    // However slow the machine is: a turn comes at least every few slices of 10 ms.
    expect(turns).toBeGreaterThan(took / 200);
  });
});
