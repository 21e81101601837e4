import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { ControlPlane } from "./controlplane.ts";
import { startControlPlane } from "./controlplane.ts";
import type { KubeObject } from "./kube.ts";
import { KubeStatusError, parseDocuments } from "./kube.ts";
import { installStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const testdata = new URL("../config/testdata/crd/", import.meta.url);

function cases(kind: "valid" | "invalid" | "syntax"): { file: string; text: string }[] {
  const dir = new URL(`${kind}/`, testdata);
  return readdirSync(dir)
    .sort()
    .map((file) => ({ file, text: readFileSync(new URL(file, dir), "utf8") }));
}

function only(text: string): KubeObject {
  const [object, ...more] = parseDocuments(text);
  if (object === undefined || more.length > 0) throw new Error("a test case is one document");
  object.metadata.namespace ??= "default";
  return object;
}

/** The API server drops a null where a field is not nullable, and puts the default there. */
function withoutNulls(spec: unknown): Record<string, unknown> {
  return JSON.parse(JSON.stringify(spec, (_, value: unknown) => (value === null ? undefined : value))) as Record<
    string,
    unknown
  >;
}

describe("the CRD on a real API server", () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane(workspace);
    await installStrata(plane);
    await plane.admin.waitFor(
      { kind: "CustomResourceDefinition", name: "artifactrepositories.source.strata.dev" },
      "established",
      (crd) =>
        crd.status?.["conditions"]?.some(
          (condition: { type: string; status: string }) =>
            condition.type === "Established" && condition.status === "True",
        ),
    );
  });

  it("is structural, and nothing in it is ignored", async () => {
    const crd = await plane.admin.get({
      kind: "CustomResourceDefinition",
      name: "artifactrepositories.source.strata.dev",
    });
    const conditions = crd.status?.["conditions"] as { type: string; status: string; message: string }[];
    expect(
      conditions.filter((condition) => condition.type === "NonStructuralSchema" && condition.status === "True"),
    ).toEqual([]);
    expect(conditions).toContainEqual(expect.objectContaining({ type: "NamesAccepted", status: "True" }));
  });

  it.each(cases("valid"))("accepts $file", async ({ text }) => {
    const object = only(text);
    const created = await plane.admin.create(object);
    expect(created.spec).toMatchObject(withoutNulls(object.spec));
  });

  it.each([...cases("invalid"), ...cases("syntax")])("refuses $file", async ({ text }) => {
    const [, path = "", words] = /^# refused at ([^:\n]+)(?:: (.+))?$/m.exec(text) ?? [];
    const refusal: unknown = await plane.admin.create(only(text)).catch((error: unknown) => error);
    if (!(refusal instanceof KubeStatusError)) throw new Error("it was accepted");
    expect(refusal.status).toBe(422);
    expect(refusal.message).toContain(path);
    // Of a pattern the API server says no more than that.
    if (words !== undefined && !refusal.message.includes("in body should match"))
      expect(refusal.message).toContain(words);
  });

  it("fills in the defaults that OCIRepository has", async () => {
    const object = {
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "defaults", namespace: "default" },
      spec: { url: "oci://registry.example/app", interval: "1m" },
    };
    const created = await plane.admin.create(object);
    expect(created.spec).toMatchObject({ provider: "generic", timeout: "60s" });
  });

  it("has a status subresource that the main resource cannot write", async () => {
    const ref = { kind: "ArtifactRepository", namespace: "default", name: "defaults" } as const;
    const patched = await plane.admin.patch(ref, { status: { url: "http://example.com" } });
    expect(patched.status).toEqual({ observedGeneration: -1 });
  });
});
