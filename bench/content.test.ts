import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { filesOfTarball } from "../e2e/artifact.ts";
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
  expect(digest("test")).toBe("80997d301f22589312385d9f8d46ce6b24930fcd2631e09c14cbd2092d55163b");
});

it("is YAML, of exactly the size that was asked for", () => {
  for (const { path, bytes } of yamlFiles({ ...spec, fileBytes: 5001 })) {
    expect(bytes.length).toBe(5001);
    const [document] = parseAllDocuments(bytes.toString("utf8"));
    expect(document?.errors).toEqual([]);
    expect(document?.toJS()).toMatchObject({ kind: "ConfigMap", metadata: { name: path.slice(path.indexOf("/") + 1, -".yaml".length) } });
  }
});

it("makes a tar that others read, and that gzip halves", async () => {
  const packed = await tarball({ ...spec, fileBytes: 100_000 });
  const files = await filesOfTarball(packed);
  expect(Object.keys(files)).toHaveLength(12);
  expect(Object.keys(files)).toContain("group-1/config-000011.yaml");
  const ratio = packed.length / gunzipSync(packed).length;
  expect(ratio).toBeGreaterThan(0.45);
  expect(ratio).toBeLessThan(0.55);
});
