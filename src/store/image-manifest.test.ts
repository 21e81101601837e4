import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FLUX_CONTENT_MEDIA_TYPE } from "../../api/v1beta1/constants.ts";
import { sha256Of } from "../oci/digest.ts";
import { parseManifest } from "../oci/schema.ts";
import {
  fluxConfigDigest,
  fluxContentType,
  imageAnnotations,
  ownerAnnotation,
  singleLayerImage,
} from "./image-manifest.ts";

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const file = { digest: sha256Of("layer"), size: 5 };
const form = { layerMediaType: fluxContentType, layerTitle: "podinfo.tar.gz" };
const contentDigest = sha256Of("tar");

describe("the manifest", () => {
  test("is a valid OCI manifest of one layer, with Flux's config and no artifactType", () => {
    const { descriptor, bytes, config, configBytes } = singleLayerImage(file, form, { a: "b" });
    expect(descriptor).toEqual({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: sha256Of(bytes),
      size: bytes.length,
    });
    expect([config.digest, config.size]).toEqual([sha256Of(configBytes), configBytes.length]);
    expect(parseManifest(bytes, descriptor.mediaType, "it")).toEqual({
      kind: "manifest",
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.cncf.flux.config.v1+json", digest: config.digest, size: 115 },
      layers: [
        {
          mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip",
          ...file,
          annotations: { "org.opencontainers.image.title": "podinfo.tar.gz" },
        },
      ],
      annotations: { a: "b" },
    });
  });

  test("has the very config that Flux's own artifacts have", () => {
    const fixtures = new URL("../testing/fixtures/oci/flux/", import.meta.url);
    const blobs = readdirSync(fixtures).flatMap((name) =>
      readdirSync(new URL(`${name}/blobs/sha256/`, fixtures)).map(
        (hex) => new URL(`${name}/blobs/sha256/${hex}`, fixtures),
      ),
    );
    const configs = blobs.flatMap((url) => {
      const text = readFileSync(url, "utf8");
      return text.startsWith('{"schemaVersion"') && text.includes("vnd.cncf.flux.config")
        ? [(JSON.parse(text) as { config: { digest: string } }).config.digest]
        : [];
    });
    expect(configs.length).toBeGreaterThan(0);
    expect(new Set(configs)).toEqual(new Set([fluxConfigDigest]));
  });

  test("has the same bytes whatever order the annotations come in, and no title where there is none", () => {
    const one = singleLayerImage(file, { ...form, layerTitle: "" }, { b: "2", a: "1" });
    const two = singleLayerImage(file, { ...form, layerTitle: "" }, { a: "1", b: "2" });
    expect(one.bytes.equals(two.bytes)).toBe(true);
    expect(one.bytes.toString()).not.toContain("title");
    // Were this to change, every consumer would act on an update of Strata alone.
    expect(one.descriptor.digest).toBe("sha256:aa326c27b1a9ac4883b50c62591f8d7e0ad22ef29ab84b03812e08d62fe280f2");
  });

  test("has by default the layer type that the API documents", () => {
    expect(fluxContentType).toBe(FLUX_CONTENT_MEDIA_TYPE);
  });

  test("carries another config where one is given", () => {
    const bytes = Buffer.from('{"name":"chart"}');
    const image = singleLayerImage(
      file,
      { ...form, config: { mediaType: "application/vnd.cncf.helm.config.v1+json", bytes } },
      {},
    );
    expect(image.config).toEqual({
      mediaType: "application/vnd.cncf.helm.config.v1+json",
      digest: sha256Of(bytes),
      size: bytes.length,
    });
    expect(image.configBytes.equals(bytes)).toBe(true);
  });
});

describe("its annotations", () => {
  const mark = { [ownerAnnotation]: "artifactrepository/apps/podinfo" };

  test("are upstream's, and say who pushed it", () => {
    const metadata = {
      "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
      "org.opencontainers.image.revision": "main@sha1:abc",
      "org.opencontainers.image.source": "https://example.test/app.git",
      "org.opencontainers.image.licenses": "not copied",
    };
    const { "org.opencontainers.image.licenses": _, ...three } = metadata;
    expect(imageAnnotations(owner, metadata, contentDigest)).toEqual({ ...three, ...mark });
  });

  test("are made from the content where upstream says nothing, never from a clock", () => {
    const annotations = {
      "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
      "org.opencontainers.image.revision": contentDigest,
      ...mark,
    };
    expect(imageAnnotations(owner, {}, contentDigest)).toEqual(annotations);
    const url = "oci://registry.example/app";
    expect(imageAnnotations(owner, { "source.strata.dev/upstream-url": url }, contentDigest)).toEqual({
      ...annotations,
      "org.opencontainers.image.source": url,
    });
  });
});
