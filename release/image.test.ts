import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { list } from "tar";
import { afterAll, describe, expect, it } from "vitest";
import { assembleImage, type ImageRequest } from "./image.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-image-"));
afterAll(() => rmSync(dir, { recursive: true }));
let layouts = 0;

type Json = Record<string, unknown>;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** A base with an image for each architecture. */
function baseLayout(architectures: readonly string[], config: Json = { Entrypoint: ["/nodejs/bin/node"] }): string {
  const layout = join(dir, `base-${layouts++}`);
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const put = (value: Buffer | Json, mediaType = "application/json") => {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    writeFileSync(join(layout, "blobs/sha256", sha256(bytes)), bytes);
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const manifests = architectures.map((architecture) => {
    const layer = put(gzipSync(`root file system for ${architecture}`));
    const about = put({ os: "linux", architecture, config, rootfs: { type: "layers", diff_ids: ["sha256:base"] } });
    return put({ schemaVersion: 2, config: about, layers: [layer] });
  });
  const root = put({ schemaVersion: 2, manifests });
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [root] }));
  return layout;
}

const source = join(dir, "program.js");
writeFileSync(source, "the program\n");

function request(change: Partial<ImageRequest> = {}): ImageRequest {
  return {
    base: baseLayout(["amd64", "arm64"]),
    out: join(dir, `out-${layouts++}`),
    files: { "strata-controller.js": source, "chunks/a.js": source, "package.json": source },
    created: 1_700_000_000,
    platforms: ["linux/amd64", "linux/arm64"],
    command: ["--flag", "/app/strata-controller.js"],
    labels: { "org.opencontainers.image.title": "strata-controller" },
    tag: "latest",
    sbom: Buffer.from('{"bomFormat":"CycloneDX"}'),
    ...change,
  };
}

const blobOf = (out: string, digest: unknown): Buffer =>
  readFileSync(join(out, "blobs/sha256", String(digest).replace("sha256:", "")));
const jsonOf = (out: string, digest: unknown) => JSON.parse(blobOf(out, digest).toString()) as Json;

describe("the image", () => {
  it("has the program as one layer on the base of each platform, and runs it as nobody", async () => {
    const made = request();
    const index = jsonOf(made.out, await assembleImage(made)) as { manifests: readonly Json[] };
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm64" },
    ]);
    for (const { digest, platform } of index.manifests) {
      const manifest = jsonOf(made.out, digest) as { config: Json; layers: readonly Json[] };
      const config = jsonOf(made.out, manifest.config["digest"]) as Json & { rootfs: { diff_ids: readonly string[] } };
      expect(config).toMatchObject({
        ...(platform as Json),
        created: "2023-11-14T22:13:20Z",
        config: {
          User: "65532:65532",
          Entrypoint: ["/nodejs/bin/node", "--flag", "/app/strata-controller.js"],
          Labels: made.labels,
        },
      });
      const [base, own] = manifest.layers.map((layer) => gunzipSync(blobOf(made.out, layer["digest"])));
      expect(base!.toString()).toBe(`root file system for ${String((platform as Json)["architecture"])}`);
      expect(config.rootfs.diff_ids).toEqual(["sha256:base", `sha256:${sha256(own!)}`]);
    }
  });

  it("has files that only root may write, in directories, at one time", async () => {
    const made = request();
    const index = jsonOf(made.out, await assembleImage(made)) as { manifests: readonly Json[] };
    const manifest = jsonOf(made.out, index.manifests[0]!["digest"]) as { layers: readonly Json[] };
    const file = join(dir, "layer.tar.gz");
    writeFileSync(file, blobOf(made.out, manifest.layers[1]!["digest"]));
    const rows: string[] = [];
    await list({
      file,
      onReadEntry: ({ path, mode, uid, gid, mtime }) =>
        void rows.push(`${(mode ?? 0).toString(8)} ${uid}:${gid} ${mtime?.getTime()} ${path}`),
    });
    expect(rows).toEqual([
      "755 0:0 1700000000000 app/",
      "755 0:0 1700000000000 app/chunks/",
      "644 0:0 1700000000000 app/chunks/a.js",
      "644 0:0 1700000000000 app/package.json",
      "755 0:0 1700000000000 app/strata-controller.js",
    ]);
  });

  it("is the same bit for bit, whatever the order of the files", async () => {
    const [one, two] = [request(), request()];
    const reversed = Object.fromEntries(Object.entries(two.files).toReversed());
    expect(await assembleImage(one)).toBe(await assembleImage({ ...two, files: reversed }));
    const files = (out: string): Record<string, string> =>
      Object.fromEntries(
        readdirSync(out, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry): [string, string] => [entry.name, sha256(readFileSync(join(entry.parentPath, entry.name)))])
          .toSorted(([a], [b]) => (a < b ? -1 : 1)),
      );
    expect(files(one.out)).toEqual(files(two.out));
  });

  it("has its SBOM as a referrer, which is not an image of the layout", async () => {
    const made = request();
    const digest = await assembleImage(made);
    const { manifests } = JSON.parse(readFileSync(join(made.out, "index.json"), "utf8")) as {
      manifests: readonly (Json & { annotations?: Json })[];
    };
    const [image, referrer] = manifests;
    expect(manifests).toHaveLength(2);
    expect(image).toMatchObject({ digest, annotations: { "org.opencontainers.image.ref.name": "latest" } });
    expect(referrer).toMatchObject({ artifactType: "application/vnd.cyclonedx+json" });
    expect(referrer).not.toHaveProperty("annotations");
    const manifest = jsonOf(made.out, referrer!["digest"]) as { subject: Json; layers: readonly Json[] };
    const { mediaType, size } = image!;
    expect(manifest).toMatchObject({
      artifactType: "application/vnd.cyclonedx+json",
      subject: { mediaType, digest, size },
    });
    expect(blobOf(made.out, manifest.layers[0]!["digest"])).toEqual(made.sbom);
  });

  it.each([
    ["a base for other platforms", { base: baseLayout(["amd64"]) }, "linux/amd64, and not for linux/arm64"],
    ["a base that does not say where Node is", { base: baseLayout(["amd64", "arm64"], {}) }, "no entry point"],
    ["a name that is too long", { files: { [`${"x".repeat(300)}.js`]: source } }, "too long"],
  ])("is refused for %s", async (_, change, message) => {
    await expect(assembleImage(request(change))).rejects.toThrow(message);
  });
});
