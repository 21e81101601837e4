import { describe, expect, test } from "vitest";
import type { ExportedInputs } from "../../api/flux/source.ts";
import { CodedError } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Artifact } from "../store/store.ts";
import { exportedInputs, InputsSupport } from "./exported-inputs.ts";

const digest = sha256Of("root");
const metadata = {
  "source.strata.dev/upstream-url": "oci://registry.example/product",
  "source.strata.dev/upstream-digest": digest,
  "org.opencontainers.image.version": "1.4.0",
  "example.com/other": "o",
};
const artifact = (change: Partial<Artifact> = {}): Artifact => ({
  path: "p",
  url: "http://strata/p",
  revision: `1.4.0@${sha256Of("content")}`,
  digest: sha256Of("file"),
  size: 1,
  lastUpdateTime: "2026-11-21T06:59:00Z",
  metadata,
  ...change,
});
const upstream = { url: "oci://registry.example/product", digest };

describe("the inputs that are exported", () => {
  test.each<[string, Artifact, string[] | undefined, ExportedInputs]>([
    ["are those of upstream", artifact(), undefined, { ...upstream, tag: "1.4.0" }],
    ["have no tag where none was followed", artifact({ revision: sha256Of("content") }), [], upstream],
    [
      "have the chosen annotations that there are",
      artifact(),
      ["org.opencontainers.image.version", "example.com/missing", "constructor", "__proto__"],
      { ...upstream, tag: "1.4.0", annotations: { "org.opencontainers.image.version": "1.4.0" } },
    ],
    ["are few for an artifact of an early version", artifact({ metadata: {} }), ["a"], { tag: "1.4.0" }],
  ])("%s", (_, from, chosen, expected) => {
    expect(exportedInputs(from, chosen)).toEqual(expected);
  });
});

describe("a server", () => {
  const undeclared = new CodedError("KubeRejected", "apply: 500 .status.exportedInputs: field not declared in schema");

  test("that knows no inputs is asked once", async () => {
    const written: unknown[] = [];
    const support = new InputsSupport();
    const publish = async (inputs: ExportedInputs | undefined): Promise<string> => {
      written.push(inputs);
      if (inputs !== undefined) throw undeclared;
      return await Promise.resolve("row");
    };
    expect([await support.write({ tag: "1" }, publish), await support.write({ tag: "2" }, publish)]).toEqual([
      "row",
      "row",
    ]);
    expect(written).toEqual([{ tag: "1" }, undefined, undefined]);
  });

  test("that refuses anything else is believed", async () => {
    const support = new InputsSupport();
    const refused = new CodedError("KubeRejected", "apply: 422 status.artifact.digest: invalid");
    await expect(support.write({}, () => Promise.reject(refused))).rejects.toBe(refused);
    expect(await support.write({ tag: "1" }, (inputs) => Promise.resolve(inputs))).toEqual({ tag: "1" });
  });
});
