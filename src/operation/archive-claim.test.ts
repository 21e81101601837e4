import { describe, expect, it } from "vitest";
import type { Content } from "../archive/sniff.ts";
import { CodedError } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Layer } from "../oci/types.ts";
import { contentOf, unreadable } from "./archive-claim.ts";
import { titleOf } from "./file-name.ts";

const titleKey = "org.opencontainers.image.title";
const unpackKey = "io.deis.oras.content.unpack";
const tarGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
const bytes = "application/octet-stream";

function layer(mediaType: string, annotations: Record<string, string> = {}, siblings = 0): Layer {
  const descriptor = { mediaType, digest: sha256Of(mediaType), size: 1, annotations };
  const other = { mediaType: "text/plain", digest: sha256Of("other"), size: 1 };
  const config = { mediaType: "application/vnd.example.config.v1+json", digest: sha256Of("{}"), size: 2 };
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const layers = [descriptor, ...Array.from({ length: siblings }, () => other)];
  return {
    descriptor,
    node: {
      descriptor: { mediaType: manifestType, digest: sha256Of("m"), size: 1 },
      manifest: { kind: "manifest", mediaType: manifestType, config, layers },
      path: [],
      effectiveType: config.mediaType,
      effectiveAnnotations: {},
    },
    ordinal: 0,
  };
}

type Begins = Extract<Content, { archive: "none" }>["begins"];
const none = (begins?: Begins): Content => ({ archive: "none", begins });

describe("a layer that cannot be unpacked", () => {
  it.each<[string, Record<string, string>, Begins]>([
    [tarGzip, {}, "gzip"],
    [tarGzip, {}, "tar"],
    [tarGzip, {}, undefined],
    ["application/vnd.example.content.v1.tar", {}, undefined],
    ["application/vnd.example.layer.v1+tar.gz", {}, undefined],
    ["application/zip", {}, undefined],
    ["archive/zip", {}, undefined],
    ["application/x-tar; charset=binary", {}, undefined],
    [bytes, {}, "gzip"],
    [bytes, {}, "zstd"],
    [bytes, {}, "tar"],
    ["application/gzip", {}, "gzip"],
    [bytes, { [titleKey]: "site.tar.gz" }, "gzip"],
    [bytes, { [titleKey]: "site.tgz" }, undefined],
    [bytes, { [titleKey]: "site.zip" }, undefined],
    [tarGzip, { [titleKey]: "site" }, "gzip"],
    [tarGzip, { [titleKey]: "policy.yaml" }, "gzip"],
    [tarGzip, { [titleKey]: "v1.2", [unpackKey]: "true" }, undefined],
  ])("of type %s with %j that begins like %s is refused", (mediaType, annotations, begins) => {
    const broken = layer(mediaType, annotations);
    expect(() => contentOf(broken, none(begins), titleOf(broken))).toThrow(
      expect.objectContaining({ code: "NotAnArchive" }) as Error,
    );
  });

  it.each<[string, Record<string, string>, Begins]>([
    ["text/plain", {}, undefined],
    [bytes, {}, undefined],
    ["application/vnd.docker.tape.attest.v1alpha1.jsonl+gzip", {}, "gzip"],
    [bytes, { [titleKey]: "data.csv.gz" }, "gzip"],
    ["application/gzip", { [titleKey]: "dump.sql.gz" }, "gzip"],
    // What oras says of any file that it is given no type for.
    ["application/vnd.oci.image.layer.v1.tar", { [titleKey]: "values.yaml" }, undefined],
    [tarGzip, { [titleKey]: "config.json" }, undefined],
  ])("of type %s with %j that begins like %s is the file that it is", (mediaType, annotations, begins) => {
    const file = layer(mediaType, annotations);
    expect(contentOf(file, none(begins), titleOf(file))).toEqual(none(begins));
  });

  it("is refused with what to write if the file is wanted, which tells it from the others", () => {
    const alone = layer(tarGzip);
    const one = layer(tarGzip, { [titleKey]: "site.tar.gz" }, 2);
    expect(() => contentOf(alone, none("gzip"), undefined)).toThrow(
      "begins like gzip, but what is compressed is not a tar; to publish it as the file that it is, write\nlayerSelector:\n  operation: Copy",
    );
    expect(() => contentOf(one, none("tar"), titleOf(one))).toThrow(
      expect.objectContaining({
        details: {
          suggestion: {
            layerSelector: { mediaType: tarGzip, annotations: { [titleKey]: "site.tar.gz" }, operation: "Copy" },
          },
        },
      }) as Error,
    );
  });

  it("keeps the code of what is wrong with it, and says the same", () => {
    const error = unreadable(layer(tarGzip), new CodedError("ArchiveInvalid", "the archive breaks off"));
    expect(error).toMatchObject({ code: "ArchiveInvalid" });
    expect(String(error)).toContain("the archive breaks off; to publish it as the file that it is, write");
    const other = new CodedError("StorageFailed", "disk");
    expect(unreadable(layer(tarGzip), other)).toBe(other);
  });
});

describe("a zip file", () => {
  const zip: Content = { archive: "zip" };
  it.each([
    ["tool.jar", false],
    ["app-1.0-py3-none-any.whl", false],
    ["site.zip", true],
    ["site", true],
    [undefined, true],
  ])("under the name %s is unpacked: %s", (name, isUnpacked) => {
    expect(contentOf(layer(bytes), zip, name).archive).toBe(isUnpacked ? "zip" : "none");
  });
});
