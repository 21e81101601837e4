import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { runStrata } from "../../testing/command-io.ts";
import { componentArtifact, ocmFixturesDir } from "../../testing/ocm.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterAll(async () => await registry.close());

const at = (name: string, tag: string): string =>
  `oci://${registry.host}/fx/component-descriptors/fx.example/${name}:${tag}`;
const strata = async (...args: readonly string[]): Promise<string> => {
  const result = await runStrata([...args, "--insecure"]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
};

describe("strata tree of a component version", () => {
  it("draws resources, references and signatures", async () => {
    const drawn = await strata("tree", at("app", "1.0.0"));
    expect(drawn.slice(drawn.indexOf("\ncomponent"))).toMatchInlineSnapshot(`
      "
      component  fx.example/app:1.0.0  by fx.example
      ├─ resource  manifests 1.0.0  directoryTree  LocalBlob/v1 sha256:21f28467faf2  SHA-256 21f28467faf2 (genericBlobDigest/v1)
      ├─ resource  config 1.0.0 (env=prod)  blob  LocalBlob/v1 sha256:b8bb61f5819b  SHA-256 b8bb61f5819b (genericBlobDigest/v1)
      ├─ resource  config 1.0.0 (env=dev)  blob  LocalBlob/v1 sha256:104d160f994a  SHA-256 104d160f994a (genericBlobDigest/v1)
      ├─ resource  flux-app 1.0.0  ociArtifact  ociArtifact registry.example/fx/flux/app:1.0.0  no digest
      ├─ resource  helm 0.1.0  helmChart  LocalBlob/v1 sha256:91898feb475f  SHA-256 91898feb475f (genericBlobDigest/v1)
      ├─ reference  lib 2.1.0  → fx.example/lib:2.1.0  SHA-256 4b4c7aff4839 (jsonNormalisation/v4alpha1)
      └─ signature  default  RSASSA-PSS  SHA-256 1a1b6f0bc7e7 (jsonNormalisation/v4alpha1)

      Nothing is taken without a selector: fx.example/app:1.0.0 is an OCM component version with 5 resources; choose one. A spec could say
        component:
          resource:
            name: manifests
      "
    `);
  });

  it("prints the same for programs", async () => {
    const { component, refusal } = JSON.parse(await strata("tree", at("app", "1.0.0"), "--output", "json")) as {
      component: object;
      refusal: object;
    };
    expect(component).toMatchObject({
      name: "fx.example/app",
      version: "1.0.0",
      resources: [
        { name: "manifests", access: { type: "LocalBlob/v1" }, digest: expect.stringMatching(/^SHA-256 21f28467/) },
        {},
        {},
        {},
        {},
      ],
      references: [{ componentName: "fx.example/lib" }],
      signatures: [{ name: "default", algorithm: "RSASSA-PSS" }],
    });
    expect(refusal).toMatchObject({
      code: "AmbiguousResource",
      suggestion: { component: { resource: { name: "manifests" } } },
    });
  });

  it("says what is wrong with its descriptor", async () => {
    registry.store.putArtifact("broken", { tag: "1", ...componentArtifact("{") });
    expect(await strata("tree", `oci://${registry.host}/broken:1`)).toContain(
      "component version: ! ComponentInvalid: ",
    );
  });

  it("lets nothing of a stranger's disturb the terminal", async () => {
    const resource = {
      name: "a\u001b[2J\nb",
      version: "1",
      type: "\u202ex",
      access: { type: "\u0007", ref: "\u001b" },
      extraIdentity: { "\n": "\r" },
    };
    const descriptor = {
      meta: { schemaVersion: "v2" },
      component: { name: "x\u0000", version: "1", provider: "p\n", resources: [resource] },
    };
    registry.store.putArtifact("hostile", { tag: "1", ...componentArtifact(descriptor) });
    const drawn = await strata("tree", `oci://${registry.host}/hostile:1`);
    expect(drawn.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(drawn.split("\n").filter((line) => line.includes("resource"))).toHaveLength(1);
  });
});

describe("strata init of a component version", () => {
  const spec = async (reference: string): Promise<{ text: string; spec: object }> => {
    const text = await strata("init", reference);
    return { text, spec: (parseAllDocuments(text)[0]!.toJS() as { spec: object }).spec };
  };

  it("suggests a resource, not an offset", async () => {
    const { text, spec: written } = await spec(at("app", "1.0.0"));
    expect(written).toMatchObject({ component: { resource: { name: "manifests" } } });
    expect(written).not.toHaveProperty("layerSelector");
    expect(text).toContain("#   config 1.0.0 (env=prod)");
    expect(text).toContain("#   provider: ocm");
  });

  it("does so for one with a single resource, also on disk", async () => {
    expect((await spec(at("lib", "2.1.0"))).spec).toMatchObject({ component: { resource: { name: "defaults" } } });
    const layout = await runStrata(["init", `oci-layout://${join(ocmFixturesDir, "plain")}:0.3.0-rc.1`]);
    expect(layout.stdout).toContain("component:\n    resource:\n      name: text");
  });
});
