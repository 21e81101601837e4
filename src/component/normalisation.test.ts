import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { descriptorOf, descriptorType, localResource, ocmFixturesDir } from "../testing/ocm.ts";
import { parseDescriptor, type ComponentDescriptor } from "./descriptor.ts";
import { formWithDigest, normalisedForms } from "./normalisation.ts";

const blob = (layout: string, hex: string) => readFileSync(join(ocmFixturesDir, layout, "blobs/sha256", hex));
const parsed = (value: object): ComponentDescriptor =>
  parseDescriptor(Buffer.from(JSON.stringify(value)), descriptorType, "test");
const formsOf = (component: Record<string, unknown>): unknown[] =>
  normalisedForms(parsed(descriptorOf(component))).map((text) => (JSON.parse(text) as { component: object }).component);

describe("the normal form", () => {
  it.each([
    [
      "app",
      "9f8d9454874b99c7ba144a7592ae7e0371113c6e8c1f5763b147bc1696f5f277",
      "1a1b6f0bc7e76b64f136f16b82f661709cfcfa42af47050422fd3fc73c46732b",
    ],
    [
      "lib",
      "d6c7b41f9ae21dad94389ab38ef6ee6b1bca1b3d3df1b3c46168d4d26126642d",
      "4b4c7aff4839d06d34e7088e0f24a20be8e4f5c51da56c8c768ca069dfa52cfd",
    ],
    [
      "plain",
      "9ef3bcbf98625960911361b15d7c52e336f2419eb2f9a7cc1e7c85cd9c685c6c",
      "ef00675a49a26c88263d80af81a8e41888ab0c3e9350440ac8e9234d0a11ac78",
    ],
  ])("of %s has the digest that ocm signed", (layout, hex, digest) => {
    const forms = normalisedForms(parseDescriptor(blob(layout, hex), descriptorType, layout));
    expect(forms.map((text) => createHash("sha256").update(text).digest("hex"))).toEqual([digest]);
  });

  it("keeps signed labels alone, and of references every one", () => {
    const labels = [
      { name: "a", value: { b: null, c: [null, 1e21] }, signing: true, merge: {} },
      { name: "b", value: 1, signing: false },
      { name: "c", value: null },
    ];
    const [form] = formsOf({
      labels,
      provider: JSON.stringify({ name: "p", labels }),
      resources: [{ ...localResource("r", "x"), labels: labels.slice(1), srcRefs: [{}] }],
      componentReferences: [{ name: "lib", version: "1.0.0", componentName: "fx.example/lib", labels }],
    });
    const signed = [{ name: "a", value: { c: [null, 1e21] }, signing: true }];
    expect(form).toMatchObject({ labels: signed, provider: { name: "p", labels: signed } });
    expect(form).not.toHaveProperty("resources.0.labels");
    expect(form).not.toHaveProperty("resources.0.access");
    expect(form).not.toHaveProperty("resources.0.srcRefs");
    expect(form).toHaveProperty("componentReferences.0.labels", [...signed, { name: "b", value: 1 }, { name: "c" }]);
    expect(form).toHaveProperty("componentReferences.0.digest", {
      hashAlgorithm: "",
      normalisationAlgorithm: "",
      value: "",
    });
  });

  it("is two where signed labels have versions, since the tool and the specification differ", () => {
    const labels = [{ name: "a", value: 1, signing: true, version: "v1" }];
    const forms = formsOf({ labels });
    expect(forms).toHaveLength(2);
    expect(forms[1]).toHaveProperty("labels.0.version", "v1");
  });

  it("has no digest of a resource without access", () => {
    const [form] = formsOf({ resources: [{ ...localResource("r", "x"), access: { type: "none" } }] });
    expect(form).not.toHaveProperty("resources.0.digest");
  });

  it("sorts keys by UTF-16, whatever order they stood in", () => {
    const one = normalisedForms(
      parsed(descriptorOf({ labels: [{ name: "x", signing: true, value: { "\u20ac": 1, a: 2, "😂": 3 } }] })),
    );
    const other = normalisedForms(
      parsed(descriptorOf({ labels: [{ value: { "😂": 3, a: 2, "\u20ac": 1 }, signing: true, name: "x" }] })),
    );
    expect(one).toEqual(other);
  });
});

describe("a stated digest", () => {
  const descriptor = parsed(descriptorOf({}));
  const digestOf = (hash: string) => createHash(hash).update(normalisedForms(descriptor)[0]!).digest("hex");
  const stated = (more: object = {}) => ({
    hashAlgorithm: "SHA-256",
    normalisationAlgorithm: "jsonNormalisation/v4alpha1",
    value: digestOf("sha256"),
    ...more,
  });

  it.each([
    ["SHA-256", {}],
    ["SHA-512", { hashAlgorithm: "SHA-512", value: digestOf("sha512") }],
    ["another case", { hashAlgorithm: "sha-256", value: digestOf("sha256").toUpperCase() }],
  ])("is good with %s", (_, more) => {
    expect(formWithDigest(descriptor, stated(more))).toHaveProperty("form");
  });

  it.each([
    ["jsonNormalisation/v1", { normalisationAlgorithm: "jsonNormalisation/v1" }, /jsonNormalisation\/v1/],
    ["jsonNormalisation/v2", { normalisationAlgorithm: "jsonNormalisation/v2" }, /jsonNormalisation\/v2/],
    ["jsonNormalisation/v3", { normalisationAlgorithm: "jsonNormalisation/v3" }, /jsonNormalisation\/v3/],
    ["MD5", { hashAlgorithm: "MD5" }, /MD5/],
    ["a property of all objects", { hashAlgorithm: "CONSTRUCTOR" }, /CONSTRUCTOR/],
    ["another value", { value: "00" }, /was changed/],
  ])("is refused with %s", (_, more, why) => {
    expect(formWithDigest(descriptor, stated(more))).toHaveProperty("problem", expect.stringMatching(why));
  });
});
