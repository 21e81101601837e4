import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { crdPath, customResourceDefinition, resourceSchema } from "./crd.ts";
import { crdYaml } from "./generate.ts";
import { structuralSchema, type StructuralSchema } from "./structural.ts";

describe("the CRD file", () => {
  it("is what `npm run generate` writes", () => {
    expect(readFileSync(join(import.meta.dirname, crdPath), "utf8")).toBe(crdYaml());
  });

  it("is plain YAML without aliases", () => {
    expect(parse(crdYaml(), { maxAliasCount: 0 })).toEqual(customResourceDefinition());
  });

  it("holds nothing that Flux's postBuild substitution or the API server would change", () => {
    expect(crdYaml()).not.toContain("${");
    expect(crdYaml()).not.toContain("properties: {}");
    expect(customResourceDefinition().metadata.annotations).toEqual({
      "kustomize.toolkit.fluxcd.io/substitute": "disabled",
    });
  });

  it("shows what is short in a row, and the rest with -o wide", () => {
    const [version] = customResourceDefinition().spec.versions;
    const names = (wide: number | undefined) =>
      version?.additionalPrinterColumns.filter(({ priority }) => priority === wide).map(({ name }) => name);
    expect(names(undefined)).toEqual(["Ready", "Status", "Revision", "Age"]);
    expect(names(1)).toEqual(["URL", "Operation", "Selected"]);
  });

  it("shows columns that the schema has", () => {
    const paths = new Set(nodes(resourceSchema()).map(([path]) => path));
    const own = customResourceDefinition()
      .spec.versions.flatMap(({ additionalPrinterColumns }) => additionalPrinterColumns)
      .filter(({ jsonPath }) => !/[?]|^[.]metadata/.test(jsonPath));
    expect(own.length).toBeGreaterThan(3);
    expect(own.filter(({ jsonPath }) => !paths.has(jsonPath))).toEqual([]);
  });
});

/** Every schema below `schema`, with its path. */
function nodes(schema: StructuralSchema, path = ""): [string, StructuralSchema][] {
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => nodes(child, `${path}.${name}`));
  const items = schema.items === undefined ? [] : nodes(schema.items, `${path}[]`);
  return [[path, schema], ...children, ...items];
}

describe("the schema", () => {
  const all = nodes(resourceSchema());

  it("says a type everywhere, and what every field is for", () => {
    const undescribed = all.filter(([path, { description }]) => description === undefined && path !== ".metadata");
    expect(undescribed.map(([path]) => path)).toEqual([]);
    expect(all.filter(([, { type }]) => typeof type !== "string")).toEqual([]);
    expect(all.length).toBeGreaterThan(120);
  });

  it("has an example, or the name of what is meant, for everything that is written freely", () => {
    const isFree = ({ type, additionalProperties, enum: choices }: StructuralSchema) =>
      (type === "string" && choices === undefined) || additionalProperties !== undefined;
    const without = all.filter(
      ([path, schema]) =>
        path.startsWith(".spec.") && isFree(schema) && !/`[^`]+`|^Name of the object/.test(schema.description ?? ""),
    );
    expect(without.map(([path]) => path)).toEqual([]);
  });

  it("bounds every text and list of the spec, which bounds the cost of its rules", () => {
    const spec = all.filter(([path]) => path.startsWith(".spec"));
    const unbounded = spec.filter(
      ([, node]) =>
        (node.type === "string" &&
          node["maxLength"] === undefined &&
          node["enum"] === undefined &&
          !node.pattern?.includes("{64}")) ||
        (node.type === "array" && node["maxItems"] === undefined) ||
        (node.additionalProperties !== undefined && node["maxProperties"] === undefined),
    );
    expect(unbounded.map(([path]) => path)).toEqual([]);
  });

  it("holds only keywords that the API server knows", () => {
    const known = new Set(
      `type description properties required items additionalProperties enum default pattern format
       minimum maximum minLength maxLength maxItems maxProperties
       x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys`.split(/\s+/),
    );
    expect(all.flatMap(([, node]) => Object.keys(node)).filter((keyword) => !known.has(keyword))).toEqual([]);
  });
});

describe("structuralSchema", () => {
  it("drops what only says that unknown fields are refused and that integers are safe", () => {
    expect(structuralSchema(z.strictObject({ n: z.int() }))).toEqual({
      type: "object",
      properties: { n: { type: "integer" } },
      required: ["n"],
    });
  });

  it("writes patterns as Go reads them", () => {
    expect(structuralSchema(z.string().regex(/^a\/b$/)).pattern).toBe("^a/b$");
  });

  it.each<[string, z.ZodType]>([
    ["a union", z.union([z.string(), z.int()])],
    ["a tuple", z.tuple([z.string()])],
    ["anything", z.any()],
    [
      "recursion",
      z.object({
        get self() {
          return z.array(z.object({ name: z.string() }).meta({ id: "Named" }));
        },
      }),
    ],
  ])("refuses %s", (_, schema) => {
    expect(() => structuralSchema(schema)).toThrow();
  });
});

/** The same cases are applied to a real API server by the end-to-end tests; both must agree. */
describe("config/testdata/crd", () => {
  const root = join(import.meta.dirname, "../config/testdata/crd");
  const cases = (kind: string) =>
    readdirSync(join(root, kind)).map((file): [string, string] => [file, readFileSync(join(root, kind, file), "utf8")]);

  it.each(cases("valid"))("valid/%s is accepted", (_, text) => {
    expect(parseArtifactRepository(parse(text))).toHaveProperty("resource");
  });

  it.each(cases("invalid"))("invalid/%s is refused where its first line says", (_, text) => {
    const [, path, message = ""] = /^# refused at (\S+?)(?:: (.+))?\n/.exec(text) ?? [];
    const parsed = parseArtifactRepository(parse(text));
    const issues = "issues" in parsed ? parsed.issues : [];
    expect(issues).toHaveLength(1);
    expect(issues[0]?.path).toBe(path);
    expect(issues[0]?.hint).toContain(message);
  });

  it.each(cases("syntax"))("syntax/%s is left to the parsers, which say it more exactly", (_, text) => {
    expect(parseArtifactRepository(parse(text))).toHaveProperty("resource");
  });

  it("breaks every rule", () => {
    const rules = nodes(resourceSchema()).flatMap(
      ([, node]) => (node["x-kubernetes-validations"] ?? []) as { message: string }[],
    );
    const texts = [...cases("invalid"), ...cases("syntax")].map(
      ([, text]) => text.split("\n")[0]?.split(": ")[1] ?? "\0",
    );
    expect(rules.filter(({ message }) => !texts.some((text) => message.startsWith(text)))).toEqual([]);
    expect(rules.length).toBeGreaterThan(8);
  });
});
