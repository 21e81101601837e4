import { performance } from "node:perf_hooks";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { tarOf } from "../testing/archives/tar.ts";
import { descriptorOf, descriptorType, localResource } from "../testing/ocm.ts";
import { parseDescriptor, statedDigest } from "./descriptor.ts";

const yamlType = "application/vnd.ocm.software.component-descriptor.v2+yaml";
const parse = (content: string | Uint8Array, mediaType = descriptorType) =>
  parseDescriptor(Buffer.from(content as Uint8Array), mediaType, "registry.test/app@sha256:1");
const json = (value: unknown) => parse(JSON.stringify(value));
const sample = descriptorOf({
  resources: [localResource("config", "a", { extraIdentity: { env: "prod" } })],
  componentReferences: null,
  sources: null,
  somethingNew: { is: "passed over" },
});

describe("a component descriptor", () => {
  it("is read from JSON, YAML and YAML in a tar, to the same", () => {
    const expected = json(sample);
    expect(expected).toMatchObject({
      name: "fx.example/made",
      provider: { name: "fx.example" },
      componentReferences: [],
      resources: [{ name: "config", extraIdentity: { env: "prod" }, access: { type: "LocalBlob/v1" } }],
    });
    const yaml = stringify(sample);
    expect(parse(yaml, yamlType)).toEqual(expected);
    const tar = tarOf({ name: "component-descriptor.yaml", content: yaml });
    expect(parse(tar, `${yamlType}+tar`)).toEqual(expected);
    expect(parse(tar, "application/vnd.gardener.cloud.cnudie.component-descriptor.v2+yaml+tar")).toEqual(expected);
  });

  it("has a provider with labels as JSON in a string", () => {
    const provider = JSON.stringify({ name: "acme", labels: [{ name: "a", value: 1 }] });
    expect(json(descriptorOf({ provider })).provider).toEqual({
      name: "acme",
      labels: [{ name: "a", value: 1, signing: false, version: "" }],
    });
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no meta", JSON.stringify({ component: {} })],
    ["schema v3", JSON.stringify({ apiVersion: "ocm.software/v3alpha1", kind: "ComponentVersion" })],
    ["another schema version", JSON.stringify({ ...sample, meta: { schemaVersion: "v1" } })],
    ["no name", JSON.stringify(descriptorOf({ name: "" }))],
    ["a number for a version", JSON.stringify(descriptorOf({ version: 1 }))],
    ["no list of resources", JSON.stringify(descriptorOf({ resources: {} }))],
    ["a resource without name", JSON.stringify(descriptorOf({ resources: [{ version: "1.0.0" }] }))],
    [
      "an attribute that is not text",
      JSON.stringify(descriptorOf({ resources: [localResource("a", "a", { extraIdentity: { a: 1 } })] })),
    ],
    ["a broken provider", JSON.stringify(descriptorOf({ provider: "{" }))],
    [
      "half a character",
      JSON.stringify(descriptorOf({ labels: [{ name: "a", value: "x" }] })).replace('"x"', String.raw`"\ud800"`),
    ],
    [
      "a number out of range",
      JSON.stringify(descriptorOf({ labels: [{ name: "a", value: 1 }] })).replace('"value":1', '"value":1e999'),
    ],
    [
      "values nested too deep",
      JSON.stringify(sample).replace('"is":"passed over"', `"is":${"[".repeat(5000)}${"]".repeat(5000)}`),
    ],
    ["too many values", JSON.stringify(descriptorOf({ more: Array.from({ length: 250_000 }, () => 0) }))],
  ])("is refused with %s", (_, content) => {
    expect(() => parse(content)).toThrow(expect.objectContaining({ code: "ComponentInvalid" }));
  });

  it.each([
    ["aliases", `a: &a [1]\nb: *a\n${stringify(sample)}`],
    ["a key twice", `${stringify(sample)}\nmeta: {schemaVersion: v2}\n`],
    ["a tag", `x: !!js/function "f"\n${stringify(sample)}`],
    ["two documents", `${stringify(sample)}\n---\n${stringify(sample)}`],
    ["deep nesting", `x: ${"[".repeat(20_000)}`],
    ["more than half a megabyte", `x: ${"a".repeat(600_000)}`],
  ])("is refused as YAML with %s", (_, content) => {
    expect(() => parse(content, yamlType)).toThrow(expect.objectContaining({ code: "ComponentInvalid" }));
  });

  it("does not expand a bomb of aliases", () => {
    const levels = Array.from(
      { length: 30 },
      (__, at) => `l${at + 1}: &l${at + 1} [${Array(9).fill(`*l${at}`).join(",")}]`,
    );
    const start = performance.now();
    expect(() => parse(`l0: &l0 [x]\n${levels.join("\n")}\n`, yamlType)).toThrow(
      expect.objectContaining({ code: "ComponentInvalid" }),
    );
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it.each([
    ["none", []],
    ["two", ["component-descriptor.yaml", "./component-descriptor.yaml"]],
  ])("is refused in a tar with %s", (_, names) => {
    const tar = tarOf(...names.map((name) => ({ name, content: stringify(sample) })));
    expect(() => parse(tar, `${yamlType}+tar`)).toThrow(expect.objectContaining({ code: "ComponentInvalid" }));
  });

  it("shows nothing of a stranger's text that could disturb a terminal", () => {
    expect(() => json(descriptorOf({ "\u001b[2J": 1, resources: [{ name: 1 }] }))).toThrow(/resources\.0\.name/);
  });
});

describe("a digest", () => {
  it.each([
    [{ hashAlgorithm: "", normalisationAlgorithm: "", value: "" }],
    [{ hashAlgorithm: "NO-DIGEST", normalisationAlgorithm: "EXCLUDE-FROM-SIGNATURE", value: "NO-DIGEST" }],
    [undefined],
  ])("is none where %j is stated", (stated) => {
    expect(statedDigest(stated)).toBeUndefined();
  });
});
