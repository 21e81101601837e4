import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { filesOfTarball } from "./artifact.ts";
import { tarball, tarBlocks, yamlFiles } from "./content.ts";

const spec = { seed: "test", files: 12, fileBytes: 4096 };

it("gives the same tar for the same seed, and another for another", () => {
  const digest = (seed: string): string => {
    const hash = createHash("sha256");
    for (const block of tarBlocks(yamlFiles({ ...spec, seed }))) hash.update(block);
    return hash.digest("hex");
  };
  expect(digest("test")).toBe(digest("test"));
  expect(digest("other")).not.toBe(digest("test"));
  expect(digest("test")).toBe("bc1b22aa21102ed063ed9e8cfdbe109b617603e33c82db58d9e6726aa83e3236");
});

it("is YAML, of exactly the size that was asked for", () => {
  for (const { path, bytes } of yamlFiles({ ...spec, fileBytes: 5001 })) {
    expect(bytes.length).toBe(5001);
    const [document] = parseAllDocuments(bytes.toString("utf8"));
    expect(document?.errors).toEqual([]);
    expect(document?.toJS()).toMatchObject({
      kind: "ConfigMap",
      metadata: { name: path.slice(path.indexOf("/") + 1, -".yaml".length) },
    });
  }
});

it("makes a tar that others read, and that gzip halves", async () => {
  const packed = await tarball({ ...spec, fileBytes: 100_000 });
  const files = await filesOfTarball(packed);
  expect(Object.keys(files)).toHaveLength(12);
  expect(Object.keys(files)).toContain("group-1/config-000002.yaml");
  const ratio = packed.length / gunzipSync(packed).length;
  expect(ratio).toBeGreaterThan(0.45);
  expect(ratio).toBeLessThan(0.55);
});

it("walks in the order of the paths, directories first", () => {
  const paths = [...yamlFiles({ seed: "order", files: 25, fileBytes: 300, directory: "second/" })].map(
    ({ path }) => path,
  );
  expect(paths).toEqual(paths.toSorted());
  expect(new Set(paths.map((path) => path.split("/")[1])).size).toBe(10);
  const names = [...tarBlocks(yamlFiles({ seed: "order", files: 2, fileBytes: 300, directory: "second/" }))]
    .filter((block) => block.subarray(257, 262).toString() === "ustar")
    .map((block) => block.subarray(0, 100).toString().replaceAll("\0", ""));
  expect(names).toEqual([
    ".",
    "second",
    "second/group-0",
    "second/group-0/config-000000.yaml",
    "second/group-5",
    "second/group-5/config-000001.yaml",
  ]);
});
