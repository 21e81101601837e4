import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { KIND } from "../api/v1beta1/constants.ts";
import { jsonSchema } from "./generate.ts";
import { jsonSchemaPath } from "./json-schema.ts";

const root = join(import.meta.dirname, "..");
const text = readFileSync(join(root, "docs/schema", jsonSchemaPath), "utf8");
const schema = z.fromJSONSchema(JSON.parse(text) as z.core.JSONSchema.JSONSchema);

/** Every whole ArtifactRepository in the files that `pattern` names: manifests, and the blocks of pages. */
function manifests(pattern: string): [string, unknown][] {
  return globSync(pattern, { cwd: root }).flatMap((file) => {
    const content = readFileSync(join(root, file), "utf8");
    const yaml = file.endsWith(".md")
      ? [...content.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block = ""]) => block)
      : [content];
    const objects = yaml.flatMap((block) => parseAllDocuments(block).map((document) => document.toJS() as unknown));
    return objects
      .filter((object) => (object as { kind?: string } | null)?.kind === KIND)
      .map((object): [string, unknown] => [file, object]);
  });
}

const problemsOf = (object: unknown): string => schema.safeParse(object).error?.message ?? "";

describe("the JSON schema", () => {
  it("is what `npm run generate` writes", () => {
    expect(text).toBe(jsonSchema());
    expect(text).not.toContain("x-kubernetes");
  });

  const shown = ["config/{samples,cluster-samples}/*.yaml", "{,docs/**/,config/**/}*.md"].flatMap(manifests);

  it("accepts every sample, and every manifest of the pages", () => {
    expect(shown.length).toBeGreaterThan(30);
    expect(
      shown.filter(([, object]) => problemsOf(object) !== "").map(([file, object]) => [file, problemsOf(object)]),
    ).toEqual([]);
  });

  const whole = { apiVersion: "source.strata.dev/v1beta1", kind: KIND, metadata: { name: "a" } };
  const spec = { url: "oci://registry.example/app", interval: "10m" };

  it("accepts the least that an object is", () => {
    expect(problemsOf({ ...whole, spec })).toBe("");
  });

  it.each<[string, object]>([
    ["an unknown field", { spec: { ...spec, intervall: "1m" } }],
    [
      "an unknown field deep in a list",
      { spec: { ...spec, verify: { matchOIDCIdentity: [{ issuer: "a", subject: "b", c: 1 }] } } },
    ],
    ["a value that there is not", { spec: { ...spec, layerSelector: { operation: "Unpack" } } }],
    ["a URL of another scheme", { spec: { ...spec, url: "https://registry.example/app" } }],
    ["a missing interval", { spec: { url: spec.url } }],
    ["another kind", { spec, kind: "OCIRepository" }],
    ["a field beside spec", { spec, url: spec.url }],
    ["no name", { spec, metadata: {} }],
  ])("refuses %s", (_, part) => {
    expect(problemsOf({ ...whole, ...part })).not.toBe("");
  });
});
