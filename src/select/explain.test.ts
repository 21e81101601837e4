import { beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { layerSelectorSchema, indexSelectorSchema } from "../../api/v1beta1/selectors.ts";
import { defaultLimits } from "../config.ts";
import { CodedError } from "../errors.ts";
import { ociConfigType, ociEmptyType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { selectLayers } from "./select.ts";
import type { IndexSelector, LayerSelector, Selection } from "./selection.ts";
import type { Suggestion } from "./suggest-manifest.ts";

const signal = new AbortController().signal;
const imageLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
const titleKey = "org.opencontainers.image.title";

interface Spec {
  readonly ref?: { readonly digest: Digest };
  readonly indexSelector?: IndexSelector;
  readonly layerSelector?: LayerSelector;
}

let repository: MemoryRepository;
let made = 0;
beforeEach(() => {
  repository = new MemoryRepository();
});

type LayerShape = string | readonly [string, Annotations];

/** `type` is the config's, so that only the manifest itself tells it. */
function manifest(
  type: string,
  layers: readonly LayerShape[] = ["application/vnd.x.tar+gzip"],
  annotations: Annotations = {},
): Descriptor {
  const described = (layer: LayerShape, at: number): Descriptor => {
    const [mediaType, annotations]: readonly [string, Annotations?] = typeof layer === "string" ? [layer] : layer;
    return { ...repository.blob(`${at}`, mediaType), ...(annotations && { annotations }) };
  };
  return repository.manifest({
    config: repository.blob(`{"made":${made++}}`, type),
    layers: layers.map(described),
    annotations,
  });
}

const on = (descriptor: Descriptor, os: string, architecture: string, variant?: string): Descriptor => ({
  ...descriptor,
  platform: { os, architecture, ...(variant && { variant }) },
});
const index = (...manifests: readonly Descriptor[]): Descriptor => repository.manifest({ manifests });
const image = (): Descriptor => manifest(ociConfigType, [imageLayer]);

async function select(root: Descriptor, { ref, indexSelector, layerSelector }: Spec): Promise<Selection> {
  const at = ref === undefined ? root : await repository.resolve(ref.digest);
  return await selectLayers({ root: at, repository, indexSelector, layerSelector, limits: defaultLimits, signal });
}

async function refusal(
  root: Descriptor,
  spec: Spec,
): Promise<CodedError & { details: { candidates: unknown[]; count: number; suggestion?: Suggestion } }> {
  const thrown = await select(root, spec).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof CodedError) return thrown as CodedError & { details: { candidates: unknown[]; count: number } };
  throw new Error(`no refusal: ${String(thrown)}`);
}

/** The YAML that the message shows: from the line that names a field of the spec as long as lines are indented. */
function yamlOf(message: string): unknown {
  const lines = message.split("\n");
  const start = lines.findIndex((line) => /^(?:ref|indexSelector|layerSelector):/.test(line));
  const rest = lines.slice(start);
  const end = rest.findIndex((line) => line.startsWith("or take"));
  return parse(rest.slice(0, end < 0 ? undefined : end).join("\n"));
}

interface Case {
  readonly name: string;
  readonly make: () => Descriptor;
  readonly spec?: Spec;
  readonly code: string;
  readonly suggests: unknown;
  /** Where the user has to remove something, adding the lines is not enough. */
  readonly replaces?: true;
}

const cases: readonly Case[] = [
  {
    name: "a type tells them apart",
    make: () => index(manifest("application/a"), manifest("application/b")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { artifactType: "application/a" } },
  },
  {
    name: "a type tells one of three",
    make: () => index(manifest("application/a"), manifest("application/a"), manifest("application/b")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { artifactType: "application/b" } },
  },
  {
    name: "a type with characters of globs",
    make: () => index(manifest("application/a*"), manifest("application/ab")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { artifactType: "application/a\\*" } },
  },
  {
    name: "a platform tells them apart",
    make: () => index(on(image(), "linux", "arm64", "v8"), on(image(), "linux", "s390x")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { platform: "linux/arm64/v8" } },
  },
  {
    name: "a platform that covers another is passed by",
    make: () =>
      index(on(image(), "linux", "arm"), on(image(), "linux", "arm", "v6"), on(image(), "linux", "arm", "v7")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { platform: "linux/arm/v6" } },
  },
  {
    name: "an annotation tells them apart",
    make: () =>
      index(
        manifest("application/a", undefined, { role: "x", "org.opencontainers.image.created": "1" }),
        manifest("application/a", undefined, { role: "y" }),
      ),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { annotations: { role: "x" } } },
  },
  {
    name: "an annotation that needs quotes",
    make: () => index(manifest("application/a", undefined, { "a: b": "'#: \"" }), manifest("application/a")),
    code: "AmbiguousManifest",
    suggests: { indexSelector: { annotations: { "a: b": "'#: \"" } } },
  },
  {
    name: "what already stands there stays",
    make: () =>
      index(manifest("application/a", undefined, { x: "1" }), manifest("application/b", undefined, { x: "1" })),
    spec: { indexSelector: { annotations: { x: "1" }, match: "One" } },
    code: "AmbiguousManifest",
    suggests: { indexSelector: { annotations: { x: "1" }, artifactType: "application/a" } },
  },
  {
    name: "only the digest tells them apart",
    make: () =>
      index(
        manifest("application/a", undefined, { created: "1" }),
        manifest("application/a", undefined, { created: "2" }),
      ),
    code: "AmbiguousManifest",
    suggests: { ref: { digest: expect.stringMatching(/^sha256:/) } },
  },
  {
    name: "a platform would let in what was passed over",
    make: () =>
      index(on(manifest("application/a"), "unknown", "unknown"), manifest("application/a"), {
        ...on(manifest("application/a"), "unknown", "unknown"),
        annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      }),
    code: "AmbiguousManifest",
    suggests: { ref: { digest: expect.any(String) } },
  },
  {
    name: "a type that also a manifest without layers has",
    make: () =>
      index(
        manifest("application/a"),
        manifest("application/a", []),
        manifest("application/b"),
        manifest("application/b"),
      ),
    code: "AmbiguousManifest",
    suggests: { ref: { digest: expect.any(String) } },
  },
  {
    name: "a wrong type",
    make: () => index(manifest("application/a"), manifest("application/b")),
    spec: { indexSelector: { artifactType: "application/*c" } },
    code: "NoManifestMatch",
    suggests: { indexSelector: { artifactType: "application/a" } },
  },
  {
    name: "a wrong type of a root manifest",
    make: () => manifest("application/a"),
    spec: { indexSelector: { artifactType: "application/b" } },
    code: "NoManifestMatch",
    suggests: { indexSelector: { artifactType: "application/a" } },
  },
  {
    name: "a wrong platform, with nothing fetched",
    make: () => index(on(image(), "linux", "amd64"), on(image(), "linux", "arm64")),
    spec: { indexSelector: { platform: "linux/mips" } },
    code: "NoManifestMatch",
    suggests: { indexSelector: { platform: "linux/amd64" } },
  },
  {
    name: "a wrong platform and a type that only the unread manifests know",
    make: () => index(on(image(), "linux", "amd64"), on(image(), "linux", "arm64")),
    spec: { indexSelector: { platform: "linux/mips", artifactType: ociConfigType } },
    code: "NoManifestMatch",
    suggests: { ref: { digest: expect.any(String) }, indexSelector: {} },
  },
  {
    name: "a wrong annotation",
    make: () => index(manifest("application/a", undefined, { role: "x" })),
    spec: { indexSelector: { annotations: { role: "y" } } },
    code: "NoManifestMatch",
    suggests: { indexSelector: { annotations: { role: "x" } } },
  },
  {
    name: "a platform where none is stated",
    make: () => index(manifest("application/a")),
    spec: { indexSelector: { platform: "linux/amd64" } },
    code: "NoManifestMatch",
    suggests: { ref: { digest: expect.any(String) }, indexSelector: {} },
    replaces: true,
  },
  {
    name: "a layer of its own type",
    make: () => manifest("application/a", ["application/x.tar", "application/y.tar"]),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { mediaType: "application/x.tar" } },
  },
  {
    name: "a single file among layers",
    make: () => manifest("application/a", ["text/plain", "text/csv"]),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { mediaType: "text/plain", operation: "Copy" } },
  },
  {
    name: "a title",
    make: () => manifest("application/a", [["application/x.tar", { [titleKey]: "a" }], "application/x.tar"]),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { annotations: { [titleKey]: "a" } } },
  },
  {
    name: "a title of a Zarf package",
    make: () =>
      manifest(
        "application/vnd.zarf.config.v1+json",
        ["zarf.yaml", "components/x.tar"].map(
          (name) => ["application/vnd.zarf.layer.v1.blob", { [titleKey]: name }] as const,
        ),
      ),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { annotations: { [titleKey]: "zarf.yaml" } } },
  },
  {
    name: "an annotation of a layer",
    make: () =>
      manifest("application/a", [
        ["application/x.tar", { k: "a" }],
        ["application/x.tar", { k: "b" }],
      ]),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { annotations: { k: "a" } } },
  },
  {
    name: "layers that only their place tells apart",
    make: () => manifest("application/a", ["application/x.tar", "application/x.tar"]),
    spec: { layerSelector: { operation: "Extract", offset: 0 } },
    code: "AmbiguousLayer",
    suggests: { layerSelector: { operation: "Extract", mediaType: "application/x.tar", offset: 0 } },
  },
  {
    name: "two charts",
    make: () =>
      manifest(
        "application/vnd.cncf.helm.config.v1+json",
        Array(2).fill("application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
      ),
    code: "AmbiguousLayer",
    suggests: { layerSelector: { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", offset: 0 } },
  },
  {
    name: "layers that belong together",
    make: () => manifest(ociConfigType, [imageLayer, imageLayer]),
    spec: { layerSelector: { operation: "Extract", offset: 0 } },
    code: "AmbiguousLayer",
    suggests: { layerSelector: { operation: "ExtractAll" } },
  },
  {
    name: "layers of several manifests",
    make: () => index(manifest("application/a"), manifest("application/b")),
    spec: { indexSelector: { match: "All" }, layerSelector: { operation: "Copy", offset: 0 } },
    code: "AmbiguousLayer",
    suggests: { layerSelector: { operation: "ExtractAll" } },
  },
  {
    name: "an offset too high",
    make: () => manifest("application/a", ["application/x.tar", "application/y.tar"]),
    spec: { layerSelector: { offset: 2 } },
    code: "OffsetOutOfRange",
    suggests: { layerSelector: { offset: 1 } },
  },
  {
    name: "an offset too low",
    make: () => manifest("application/a", ["application/x.tar", "application/y.tar"]),
    spec: { layerSelector: { offset: -9 } },
    code: "OffsetOutOfRange",
    suggests: { layerSelector: { offset: -2 } },
  },
  {
    name: "an offset where there is one layer",
    make: () => manifest("application/a"),
    spec: { layerSelector: { offset: 3, mediaType: "*" } },
    code: "OffsetOutOfRange",
    suggests: { layerSelector: { offset: 0, mediaType: "*" } },
  },
  {
    name: "a wrong media type",
    make: () => manifest("application/a", ["application/x.tar"]),
    spec: { layerSelector: { mediaType: "application/y.tar", operation: "Extract", offset: 0 } },
    code: "NoLayerMatch",
    suggests: { layerSelector: { mediaType: "application/x.tar", operation: "Extract" } },
  },
  {
    name: "a wrong media type beside a right annotation",
    make: () => manifest("application/a", ["application/x.tar", ["application/z.tar", { k: "v" }]]),
    spec: { layerSelector: { mediaType: "application/y.tar", annotations: { k: "v" } } },
    code: "NoLayerMatch",
    suggests: { layerSelector: { mediaType: "application/z.tar", annotations: { k: "v" } } },
  },
  {
    name: "a wrong annotation of a layer",
    make: () => manifest("application/a", ["application/x.tar"]),
    spec: { layerSelector: { annotations: { k: "v" } } },
    code: "NoLayerMatch",
    suggests: { layerSelector: { mediaType: "application/x.tar" } },
    replaces: true,
  },
  {
    name: "nothing but a config",
    make: () => manifest("application/a", []),
    code: "NoLayerMatch",
    suggests: { layerSelector: { mediaType: "application/a", operation: "Copy" } },
  },
];

function checkSchema({ indexSelector, layerSelector }: Spec): void {
  indexSelectorSchema.optional().parse(indexSelector);
  layerSelectorSchema.optional().parse(layerSelector);
}

/** The suggested lines added to what was there, rather than in its place. */
function merged(spec: Spec, suggestion: Spec): Spec {
  const indexSelector = { ...spec.indexSelector, ...suggestion.indexSelector };
  const layerSelector = { ...spec.layerSelector, ...suggestion.layerSelector };
  return { ...spec, ...suggestion, indexSelector, layerSelector };
}

const ordinals = ({ layers }: Selection): number[] => layers.map(({ ordinal }) => ordinal);

describe("suggestions", () => {
  it.each(cases)("$name: $code", async ({ make, spec = {}, code, suggests, replaces }) => {
    const root = make();
    const error = await refusal(root, spec);
    expect(error.code).toBe(code);
    const { suggestion } = error.details;
    expect(suggestion).toEqual(suggests);
    expect(yamlOf(error.message)).toEqual(suggestion);
    checkSchema(suggestion ?? {});

    const written = await select(root, { ...spec, ...suggestion });
    expect(written.nodes.length).toBe(
      code === "AmbiguousLayer" ? new Set(written.layers.map(({ node }) => node)).size : 1,
    );
    expect(written.layers.length).toBeGreaterThan(0);
    if (!replaces) expect(ordinals(await select(root, merged(spec, suggestion ?? {})))).toEqual(ordinals(written));
  });

  it("is none where there is nothing to take", async () => {
    const error = await refusal(manifest(ociEmptyType, []), {});
    expect(error.code).toBe("NoLayerMatch");
    expect(error.details.suggestion).toBeUndefined();
  });

  it("never writes what cannot be written", async () => {
    const evil = "application/\u001b]0;x";
    const error = await refusal(
      index(manifest(evil, undefined, { "a\nb": "c", long: "x".repeat(300) }), manifest(`${evil}y`)),
      {},
    );
    expect(error.details.suggestion).toEqual({ ref: { digest: expect.any(String) } });
    const layers = await refusal(manifest("application/a", [evil, `${evil}y`]), {});
    expect(layers.details.suggestion).toEqual({ layerSelector: { operation: "ExtractAll" } });
  });
});

describe("messages", () => {
  it("list every candidate with digest, type, platform and annotations", async () => {
    const [a, b] = [
      on(manifest("application/a", undefined, { role: "x" }), "linux", "arm64"),
      manifest("application/b"),
    ];
    const { message, details } = await refusal(index(a, b), {});
    expect(message).toContain(`  ${a.digest}  application/a  linux/arm64  role=x\n`);
    expect(message).toContain(`  ${b.digest}  application/b\n`);
    expect(details).toMatchObject({
      count: 2,
      candidates: [
        { digest: a.digest, artifactType: "application/a", platform: "linux/arm64" },
        { digest: b.digest, artifactType: "application/b", platform: null },
      ],
    });
  });

  it("list what an unmatched selector could have meant, also what was not fetched", async () => {
    const known = on(manifest("application/a"), "linux", "amd64");
    const { details, message } = await refusal(index(known, repository.blob("x", "application/foreign")), {
      indexSelector: { platform: "linux/arm64" },
    });
    expect(details.candidates).toEqual([{ digest: known.digest, artifactType: null, platform: "linux/amd64" }]);
    expect(message).toContain(known.digest);
  });

  it("list layers with offset, type, size and title", async () => {
    const root = manifest("application/a", ["text/plain", ["text/csv", { [titleKey]: "b.csv" }]]);
    const { message, details } = await refusal(root, {});
    expect(message).toMatch(
      / {2}offset 0 {2}text\/plain {2}1 byte {2}sha256:.*\n {2}offset 1 {2}text\/csv {2}1 byte {2}org\.opencontainers\.image\.title=b\.csv {2}sha256:/,
    );
    expect(details.candidates[1]).toEqual({
      digest: expect.any(String),
      mediaType: "text/csv",
      size: 1,
      offset: 1,
      title: "b.csv",
      manifest: root.digest,
    });
    expect((await refusal(root, { layerSelector: { mediaType: "x" } })).message).toMatch(
      / {2}config {2}application\/a/,
    );
  });

  it("list at most twenty, then the count", async () => {
    const manifests = await refusal(index(...Array.from({ length: 30 }, () => manifest("application/a"))), {});
    expect(manifests.message).toContain("\n  and 10 more\n");
    expect(manifests.message.match(/^ {2}sha256:/gm)).toHaveLength(20);
    expect(manifests.details).toMatchObject({ count: 30 });
    expect(manifests.details.candidates).toHaveLength(20);
    const layers = await refusal(
      manifest(
        "application/a",
        Array.from({ length: 25 }, () => "text/plain"),
      ),
      {},
    );
    expect(layers.message).toContain("\n  and 5 more\n");
    expect(layers.details.candidates).toHaveLength(20);
  });

  it("stay short and on their lines whatever a registry sends", async () => {
    const evil = `\u001b[31m${"x\n".repeat(2000)}\u202e`;
    const annotations = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`${at}${evil}`, evil]));
    const type = `application/${"y".repeat(240)}\u0007`;
    const { message, details } = await refusal(
      index(...Array.from({ length: 25 }, () => on(manifest(type, undefined, annotations), evil, evil))),
      {},
    );
    expect(message.length).toBeLessThan(25_000);
    expect(JSON.stringify(details).length).toBeLessThan(25_000);
    for (const line of message.split("\n")) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(JSON.stringify(details)).not.toMatch(/\\u00(?:1b|07)|\\n|\u202e/);
  });

  it("come soon for a manifest of ten thousand layers", async () => {
    const root = manifest(
      "application/a",
      Array.from({ length: 10_000 }, (_, at): LayerShape => ["application/x.tar", { k: "same", n: String(at % 2) }]),
    );
    const start = performance.now();
    expect((await refusal(root, {})).details.suggestion).toEqual({
      layerSelector: { mediaType: "application/x.tar", offset: 0 },
    });
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it("come soon for an index of a thousand manifests", async () => {
    const annotations = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`k${at}`, "same"]));
    const root = index(...Array.from({ length: 1000 }, () => manifest("application/a", undefined, annotations)));
    const start = performance.now();
    expect(await refusal(root, {})).toMatchObject({
      code: "AmbiguousManifest",
      details: { count: 1000, suggestion: { ref: {} } },
    });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
