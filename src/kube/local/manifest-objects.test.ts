import { describe, expect, it } from "vitest";
import { parseManifests } from "./manifest-objects.ts";

const podinfo = `apiVersion: source.strata.dev/v1beta1
kind: ArtifactRepository
metadata: {name: podinfo, namespace: apps, uid: made-up, finalizers: [a/b], labels: {tier: web}}
spec:
  url: oci://ghcr.io/org/product
  interval: 10m
status: {observedGeneration: 7}
`;

describe("parseManifests", () => {
  it("reads what a manifest says of an object, and nothing that only a server says", () => {
    expect(parseManifests(podinfo, "a.yaml")).toEqual({
      problems: [],
      objects: [
        {
          where: "a.yaml:1",
          type: {
            group: "source.strata.dev",
            version: "v1beta1",
            plural: "artifactrepositories",
            kind: "ArtifactRepository",
          },
          object: {
            apiVersion: "source.strata.dev/v1beta1",
            kind: "ArtifactRepository",
            metadata: { name: "podinfo", namespace: "apps", labels: { tier: "web" }, annotations: {} },
            spec: { url: "oci://ghcr.io/org/product", interval: "10m" },
          },
        },
      ],
    });
  });

  it.each<[string, string, object]>([
    [
      "an ImagePolicy with its status, of any version",
      "{apiVersion: image.toolkit.fluxcd.io/v1beta2, kind: ImagePolicy, metadata: {name: a}, spec: {}, status: {latestRef: {name: n, tag: t}}}",
      {
        apiVersion: "image.toolkit.fluxcd.io/v1",
        metadata: { name: "a", namespace: "default" },
        status: { latestRef: { name: "n", tag: "t" } },
      },
    ],
    [
      "a Secret as the API server keeps it",
      "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: MQ==, b: MQ==}, stringData: {b: two}}",
      { type: "Opaque", data: { a: "MQ==", b: "dHdv" } },
    ],
    [
      "a ServiceAccount",
      "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, annotations: {x: y}}, imagePullSecrets: [{name: s}]}",
      { imagePullSecrets: [{ name: "s" }], metadata: { annotations: { x: "y" } } },
    ],
    [
      "JSON",
      '{"apiVersion":"v1","kind":"Secret","type":"t","metadata":{"name":"a"}}',
      { kind: "Secret", type: "t", data: {} },
    ],
    [
      "anchors and merges",
      "{apiVersion: v1, kind: ServiceAccount, metadata: &m {name: a, labels: {k: v}, annotations: {<<: {p: q}}}}",
      { metadata: { annotations: { p: "q" } } },
    ],
  ])("reads %s", (_, text, expected) => {
    const { objects, problems } = parseManifests(text, "a.yaml");
    expect(problems).toEqual([]);
    expect(objects.map(({ object }) => object)).toMatchObject([expected]);
  });

  it("passes over what is not ours, and reads lists", () => {
    const list = `{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, metadata: {name: a}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]}`;
    const { objects, problems } = parseManifests(
      `---\n# nothing\n---\napiVersion: apps/v1\nkind: Secret\n---\napiVersion: v1\nkind: ConfigMap\n---\n${list}\n---\n${podinfo}`,
      "a.yaml",
    );
    expect(problems).toEqual([]);
    expect(objects.map(({ object, where }) => `${where} ${object.kind} ${object.metadata.name}`)).toEqual([
      "a.yaml:10 Secret a",
      "a.yaml:12 ArtifactRepository podinfo",
    ]);
  });

  it.each<[string, string, string]>([
    ["no object", "a: b", "a.yaml:1: a manifest has apiVersion and kind"],
    ["a text", "hello", "a.yaml:1: a manifest has apiVersion and kind"],
    [
      "another version",
      podinfo.replace("v1beta1", "v1alpha1"),
      "a.yaml:1: ArtifactRepository has the apiVersion source.strata.dev/v1beta1, not source.strata.dev/v1alpha1",
    ],
    ["no metadata", "apiVersion: v1\nkind: Secret", "a.yaml:1: Secret: it has no metadata"],
    [
      "no name",
      "\n\napiVersion: v1\nkind: Secret\nmetadata: {namespace: a}",
      "a.yaml:3: Secret: metadata.name is missing, or not text",
    ],
    [
      "a number as its name",
      "{apiVersion: v1, kind: Secret, metadata: {name: 1}}",
      "a.yaml:1: Secret: metadata.name is missing, or not text",
    ],
    [
      "a namespace that is none",
      "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: [b]}}",
      "a.yaml:1: Secret: metadata.namespace is not text",
    ],
    [
      "numbers as labels",
      "{apiVersion: v1, kind: Secret, metadata: {name: a, labels: {b: 1}}}",
      "a.yaml:1: Secret: labels and annotations are texts; put numbers and booleans in quotes",
    ],
    ["a key twice", "apiVersion: v1\nkind: Secret\nkind: Secret", "a.yaml:3: this is not valid YAML (DUPLICATE_KEY)"],
    [
      "a half-written file",
      "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2",
      "a.yaml:3: this is not valid YAML (BAD_INDENT)",
    ],
    [
      "an alias of nothing",
      "apiVersion: v1\nkind: *hunter2",
      "a.yaml:1: too many aliases, or aliases of nothing; write the values out",
    ],
    [
      "too many aliases",
      `a: &a [x]\n${Array.from({ length: 30 }, (_, i) => `${"bcdefghijklmnopqrstuvwxyzABCDE"[i]}: &${"bcdefghijklmnopqrstuvwxyzABCDE"[i]} [${`*${"abcdefghijklmnopqrstuvwxyzABCD"[i]},`.repeat(9)}]`).join("\n")}`,
      "a.yaml:1: too many aliases, or aliases of nothing; write the values out",
    ],
    ["a bottomless pit", "[".repeat(200_000), "a.yaml:1: this is not valid YAML (RESOURCE_EXHAUSTION)"],
    ["too many documents", "---\na: b\n".repeat(10_001), "a.yaml: 10001 documents; a file has at most 10000"],
  ])("says what is wrong with %s, and where", (_, text, problem) => {
    const { objects, problems } = parseManifests(text, "a.yaml");
    expect(problems).toEqual([problem]);
    expect(objects).toEqual([]);
  });

  it("reads the good documents beside a bad one, and never quotes", () => {
    const { objects, problems } = parseManifests(
      `${podinfo}---\nkind: [hunter2\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\n`,
      "a.yaml",
    );
    expect(objects.map(({ object }) => object.metadata.name)).toEqual(["podinfo", "b"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^a\.yaml:(9|10): this is not valid YAML \([A-Z_]+\)$/);
  });
});
