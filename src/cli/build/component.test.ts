import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { runStrata } from "../../testing/command-io.ts";
import { ocmFixturesDir, ocmPublicKey } from "../../testing/ocm.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

let registry: TestRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-component-"));
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const app = (): string => `oci://${registry.host}/fx/component-descriptors/fx.example/app:1.0.0`;
const build = async (...flags: readonly string[]) => await runStrata(["build", app(), "--insecure", ...flags]);
let outputs = 0;
const output = (): string => join(dir, `out-${outputs++}`);

describe("strata build of a component version", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["a directory", ["--component-resource", "manifests"], ["base", "kustomization.yaml"]],
    ["a blob", ["--component-resource", "config,env=prod"], ["config.yaml"]],
    ["a blob by version and attribute", ["--component-resource", "config,version=1.0.0,env=dev"], ["config.txt"]],
    ["a chart", ["--component-resource", "helm"], ["fx-chart"]],
    ["one that is referred to", ["--component-path", "lib", "--component-resource", "defaults"], ["defaults.yaml"]],
  ])("takes %s", async (_, flags, names) => {
    const out = output();
    const { code, stderr } = await build(...flags, "-o", out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect((await readdir(out)).sort()).toEqual(names);
  });

  it("prints what it has taken, for people and for programs", async () => {
    const { stdout } = await build("--component-resource", "manifests", "-o", output());
    expect(stdout).toContain("resource   manifests 1.0.0 of fx.example/app:1.0.0");
    const json = await build("--component-resource", "manifests", "-o", output(), "--output", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      component: { name: "fx.example/app", resource: { name: "manifests" } },
    });
    const dry = await build("--component-resource", "manifests", "--dry-run");
    expect(dry.stdout).toMatch(/resource manifests 1\.0\.0 of fx\.example\/app:1\.0\.0\n\+ .*\n\+ /);
  });

  it.each(["ocm-chart.yaml", "ocm-reference.yaml", "ocm-resource.yaml"])("builds the sample %s", async (name) => {
    const sample = await readFile(new URL(`../../../config/samples/${name}`, import.meta.url), "utf8");
    const file = join(dir, name);
    await writeFile(file, sample.replaceAll("registry.strata.local:5000", registry.host));
    expect(await runStrata(["build", "-f", file, "-o", output()])).toMatchObject({ code: 0, stderr: "" });
  });

  it("tells which flags would decide", async () => {
    const { code, stderr } = await build("--component-resource", "config", "-o", output());
    expect(code).toBe(1);
    expect(stderr).toContain("--component-resource config,env=prod");
  });

  it.each([
    [["--component-resource", ",a=b"]],
    [["--component-resource", "a,b"]],
    [["--component-path", "lib", "--component-resource", ""]],
  ])("is a usage error with %j", async (flags) => {
    expect((await build(...flags, "-o", output())).code).toBe(2);
  });

  it("reads a layout on disk, which has no other repository", async () => {
    const layout = `oci-layout://${join(ocmFixturesDir, "app")}:1.0.0`;
    const out = output();
    expect(await runStrata(["build", layout, "--component-resource", "manifests", "-o", out])).toMatchObject({
      code: 0,
    });
    const lib = await runStrata([
      "build",
      layout,
      "--component-path",
      "lib",
      "--component-resource",
      "defaults",
      "-o",
      out,
    ]);
    expect(lib).toMatchObject({ code: 1, stderr: expect.stringContaining("component-descriptors/COMPONENT") });
  });

  it("asks no registry that docker has no entry for", async () => {
    const { code, stderr } = await build("--component-resource", "flux-app", "-o", output());
    expect(code).toBe(1);
    expect(stderr).toContain("docker login registry.example");
  });

  it("verifies what a manifest asks for", async () => {
    const manifest = (key: string) =>
      [
        {
          apiVersion: "source.strata.dev/v1beta1",
          kind: "ArtifactRepository",
          metadata: { name: "app", namespace: "default" },
          spec: {
            url: app().replace(/:1\.0\.0$/, ""),
            ref: { tag: "1.0.0" },
            interval: "10m",
            insecure: true,
            verify: { provider: "ocm", signature: "default", secretRef: { name: "keys" } },
            component: { resource: { name: "manifests" } },
          },
        },
        {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "keys", namespace: "default" },
          stringData: { "a.pub": key },
        },
      ]
        .map((object) => stringify(object))
        .join("---\n");
    const file = join(dir, "app.yaml");
    await writeFile(file, manifest(ocmPublicKey));
    const good = await runStrata(["build", "-f", file, "-o", output()]);
    expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining("verified   key a.pub (signature default") });
    const other = await readFile(new URL("../../testing/fixtures/cosign.pub", import.meta.url), "utf8");
    await writeFile(file, manifest(other));
    expect(await runStrata(["build", "-f", file, "-o", output()])).toMatchObject({ code: 1 });
  });
});
