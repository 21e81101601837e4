import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { dockerListType, dockerManifestType, ociConfigType, ociIndexType, ociManifestType } from "./media-types.ts";
import { parseManifest } from "./schema.ts";
import type { Index, Manifest } from "./types.ts";

const digest = `sha256:${"a".repeat(64)}`;
const config = { mediaType: ociConfigType, digest, size: 2 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 10 };
const manifest = { schemaVersion: 2, mediaType: ociManifestType, config, layers: [layer] };
const child = { mediaType: ociManifestType, digest, size: 500 };
const index = { schemaVersion: 2, mediaType: ociIndexType, manifests: [child] };
const name = "registry.example/app@sha256:1";

const parse = (body: unknown, expected?: string): Manifest | Index =>
  parseManifest(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), expected, name);

function refusal(body: unknown, expected?: string): CodedError {
  try {
    parse(body, expected);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("was taken");
}

describe("manifests and indexes", () => {
  it("of OCI, with everything they may hold", () => {
    const subject = { mediaType: ociManifestType, digest, size: 7 };
    const full = {
      ...manifest,
      artifactType: "application/x",
      subject,
      annotations: { a: "b", "": "" },
      layers: [{ ...layer, annotations: { t: "x" }, urls: ["https://example.test"] }],
    };
    expect(parse(full)).toEqual({
      kind: "manifest",
      mediaType: ociManifestType,
      artifactType: "application/x",
      config,
      layers: [{ ...layer, annotations: { t: "x" } }],
      subject,
      annotations: { a: "b", "": "" },
    });
    const platform = { os: "linux", architecture: "arm64", variant: "v8", "os.version": "1", "os.features": ["f", 1] };
    const parsed = parse({
      ...index,
      artifactType: "application/y",
      subject,
      annotations: { c: "d" },
      manifests: [{ ...child, artifactType: "application/z", platform }],
    });
    expect(parsed).toEqual({
      kind: "index",
      mediaType: ociIndexType,
      artifactType: "application/y",
      subject,
      annotations: { c: "d" },
      manifests: [
        {
          ...child,
          artifactType: "application/z",
          platform: { os: "linux", architecture: "arm64", variant: "v8", osVersion: "1", osFeatures: ["f"] },
        },
      ],
    });
  });

  it.each([
    {
      what: "Docker's manifest",
      body: { ...manifest, mediaType: dockerManifestType },
      kind: "manifest",
      mediaType: dockerManifestType,
    },
    { what: "Docker's list", body: { ...index, mediaType: dockerListType }, kind: "index", mediaType: dockerListType },
  ])("of $what", ({ body, kind, mediaType }) => {
    expect(parse(body, mediaType)).toMatchObject({ kind, mediaType });
  });

  it.each([
    {
      what: "what was announced",
      body: { ...manifest, mediaType: undefined },
      expected: dockerManifestType,
      mediaType: dockerManifestType,
    },
    {
      what: "its fields: a manifest",
      body: { ...manifest, mediaType: "" },
      expected: undefined,
      mediaType: ociManifestType,
    },
    {
      what: "its fields: an index",
      body: { ...index, mediaType: null },
      expected: "application/octet-stream",
      mediaType: ociIndexType,
    },
  ])("without a media type is told by $what", ({ body, expected, mediaType }) => {
    expect(parse(body, expected).mediaType).toBe(mediaType);
  });

  it.each([
    { what: "null layers, as Go writes them", body: { ...manifest, layers: null } },
    { what: "no layers", body: { ...manifest, layers: [] } },
    { what: "null for what is optional", body: { ...manifest, artifactType: null, annotations: null, subject: null } },
    { what: "fields of a later version", body: { ...manifest, future: { x: 1 } } },
  ])("with $what", ({ body }) => {
    expect(parse(body).kind).toBe("manifest");
  });

  it("with inline content that is what it says", () => {
    const data = Buffer.from("{}").toString("base64");
    const inline = {
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      size: 2,
      data,
    };
    expect(parse({ ...manifest, config: inline })).toMatchObject({ config: inline });
  });

  it("keep the last of two equal keys, as the digest was made over both", () => {
    expect(
      parse(
        `{"schemaVersion":2,"mediaType":"${ociManifestType}","config":${JSON.stringify(config)},"layers":[${JSON.stringify(layer)}],"layers":[]}`,
      ),
    ).toMatchObject({ layers: [] });
  });

  it("keep keys that JavaScript has a meaning for as plain text", () => {
    const body = `{"schemaVersion":2,"config":${JSON.stringify(config)},"layers":[],"annotations":{"__proto__":"x","constructor":"y"}}`;
    const { annotations } = parse(body);
    expect(Object.entries(annotations ?? {})).toContainEqual(["constructor", "y"]);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("hostile manifests", () => {
  const bad: readonly { what: string; body: unknown; expected?: string }[] = [
    { what: "no JSON", body: "<html>" },
    { what: "nothing", body: "" },
    { what: "a list", body: [] },
    { what: "null", body: null },
    { what: "a text", body: '"x"' },
    { what: "schema 1", body: { schemaVersion: 1, fsLayers: [] } },
    { what: "no schema version", body: { ...manifest, schemaVersion: undefined } },
    { what: "a schema version in text", body: { ...manifest, schemaVersion: "2" } },
    { what: "a manifest that is also an index", body: { ...manifest, manifests: [child] } },
    { what: "an index that is also a manifest", body: { ...index, layers: [layer], config } },
    { what: "an index with a config", body: { ...index, config } },
    { what: "layers of schema 1", body: { ...manifest, fsLayers: [] } },
    { what: "another type than announced", body: manifest, expected: ociIndexType },
    { what: "the fields of another type", body: { ...index, mediaType: ociManifestType } },
    { what: "a media type of something else", body: { ...manifest, mediaType: "application/json" } },
    { what: "no config", body: { ...manifest, config: undefined } },
    { what: "a config of text", body: { ...manifest, config: "x" } },
    { what: "no layers at all", body: { ...manifest, layers: undefined } },
    { what: "layers that are a map", body: { ...manifest, layers: {} } },
    { what: "no manifests at all", body: { ...index, manifests: undefined } },
    { what: "a layer without a media type", body: { ...manifest, layers: [{ ...layer, mediaType: "" }] } },
    { what: "a media type too long", body: { ...manifest, layers: [{ ...layer, mediaType: "x".repeat(256) }] } },
    {
      what: "a digest that is a path",
      body: { ...manifest, layers: [{ ...layer, digest: "sha256:../../etc/passwd" }] },
    },
    { what: "no digest", body: { ...manifest, layers: [{ ...layer, digest: undefined }] } },
    { what: "a negative size", body: { ...manifest, layers: [{ ...layer, size: -1 }] } },
    { what: "half a byte", body: { ...manifest, layers: [{ ...layer, size: 0.5 }] } },
    { what: "a size beyond all numbers", body: { ...manifest, layers: [{ ...layer, size: 1e300 }] } },
    { what: "a size in text", body: { ...manifest, layers: [{ ...layer, size: "1" }] } },
    { what: "annotations in a list", body: { ...manifest, annotations: ["a"] } },
    { what: "an annotation that is a number", body: { ...manifest, annotations: { a: 1 } } },
    { what: "an artifactType that is a list", body: { ...manifest, artifactType: [] } },
    { what: "a platform of text", body: { ...index, manifests: [{ ...child, platform: "linux/amd64" }] } },
    {
      what: "an architecture that is a number",
      body: { ...index, manifests: [{ ...child, platform: { os: "linux", architecture: 64 } }] },
    },
    {
      what: "inline content of another digest",
      body: { ...manifest, config: { ...config, data: Buffer.from("{}").toString("base64") } },
    },
    { what: "inline content of another size", body: { ...manifest, config: { ...config, size: 9, data: "e30=" } } },
    { what: "a subject without a digest", body: { ...manifest, subject: { mediaType: ociManifestType, size: 1 } } },
    { what: "too many layers", body: { ...manifest, layers: Array.from({ length: 10_001 }, () => layer) } },
    { what: "nesting beyond all stacks", body: "[".repeat(1_000_000) },
  ];
  it.each(bad)("$what: refused, by name", ({ body, expected }) => {
    const error = refusal(body, expected);
    expect(error.code).toBe("ManifestInvalid");
    expect(error.message).toContain(name);
    expect(error.message.length).toBeLessThan(600);
  });

  it("bytes that are not UTF-8", () => {
    expect(() => parseManifest(Buffer.from([0x7b, 0xff, 0x7d]), undefined, name)).toThrow(CodedError);
  });

  it("5 MB of annotations are parsed in no time; the cap is on what is fetched", () => {
    // The time of this process alone: the machine may be busy with others.
    const start = process.cpuUsage();
    const annotations = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`key-${at}`, "x".repeat(40)]));
    expect(Object.keys(parse({ ...manifest, annotations }).annotations ?? {})).toHaveLength(100_000);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1000).toBeLessThan(3000);
  });
});
