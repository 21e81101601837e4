import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

let registry: TestRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-init-"));
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

interface Manifest {
  kind: string;
  metadata: { name: string; namespace: string };
  spec: {
    url?: string;
    interval?: string;
    ref?: object;
    indexSelector?: object;
    layerSelector?: object;
    verify?: object;
    [field: string]: unknown;
  };
}

const at = (reference: string): string => `oci://${registry.host}/${reference}`;

async function init(reference: string, ...flags: readonly string[]): Promise<{ text: string; objects: Manifest[] }> {
  const { code, stdout, stderr } = await runStrata(["init", reference, "--insecure", ...flags]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return { text: stdout, objects: parseAllDocuments(stdout).map((document) => document.toJS() as Manifest) };
}

/** Builds what was written, as the controller would; the names in the artifact. */
async function build(text: string): Promise<string[]> {
  const file = join(dir, "manifest.yaml");
  const out = await mkdtemp(join(dir, "out-"));
  await writeFile(file, text);
  const { code, stderr } = await runStrata(["build", "-f", file, "-o", out]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return (await readdir(out, { recursive: true })).toSorted();
}

describe("strata init", () => {
  it.each([
    ["flux/app:1.0.0", {}, "Kustomization"],
    ["kyverno/policies:1.0.0", {}, "Kustomization"],
    ["helm/chart:0.1.0", {}, "HelmRelease"],
    ["timoni/mod:1.0.0", {}, undefined],
    ["oras/files:1.0.0", {}, undefined],
    ["image:1.0.0", {}, undefined],
    ["signed/bundle:1.0.0", {}, "Kustomization"],
    ["product:1.0.0", { indexSelector: { artifactType: "application/vnd.example.config.v1" } }, undefined],
    ["twin:1.0.0", { ref: { digest: expect.stringMatching(/^sha256:/) as unknown } }, "Kustomization"],
  ])("writes for %s what builds: %j", async (artifact, selectors, consumer) => {
    const [repository, tag] = artifact.split(":") as [string, string];
    const { text, objects } = await init(at(artifact));
    const name = repository.split("/").at(-1)!;
    expect(objects[0]).toEqual({
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name, namespace: "default" },
      spec: { url: at(repository), insecure: true, interval: "10m", ref: { tag }, ...selectors },
    });
    expect(objects.slice(1).map(({ kind }) => kind)).toEqual(consumer === undefined ? [] : [consumer]);
    expect((await build(text)).length).toBeGreaterThan(0);
  });

  it("lists what else could have been meant", async () => {
    const { text } = await init(at("product:1.0.0"));
    const comments = text.split("\n").filter((line) => line.includes("#"));
    expect(comments.filter((line) => line.includes("sha256:"))).toHaveLength(5);
    expect(comments).toContainEqual(expect.stringContaining("application/vnd.timoni.config.v1+json"));
  });

  it("decides about layers after manifests", async () => {
    const config = { mediaType: "application/vnd.example.unknown", bytes: Buffer.from('{"a":1}') };
    const layer = (text: string) => ({ mediaType: "text/plain", bytes: Buffer.from(text) });
    const child = (name: string) =>
      registry.store.putArtifact("both", {
        config,
        layers: [layer(`${name}1`), layer(`${name}2`)],
        annotations: { role: name },
      });
    registry.store.putIndex("both", ["a", "b"].map(child), { tag: "1" });
    const { text, objects } = await init(at("both:1"));
    expect(objects).toHaveLength(1);
    expect(objects[0]!.spec).toMatchObject({
      indexSelector: { annotations: { role: "a" } },
      layerSelector: { mediaType: "text/plain", offset: 0, operation: "Copy" },
    });
    expect(text.match(/One choice of several/g)).toHaveLength(2);
    expect(text).toMatch(/# +offset 1 {2}text\/plain/);
    expect(await build(text)).toHaveLength(1);
  });

  it("takes names, the interval and a digest from its arguments", async () => {
    const { digest } = registry.store.manifest("flux/app", "1.0.0")!;
    const { objects } = await init(`${at("flux/app")}@${digest}`, "-n", "team", "--name", "app", "--interval", "1h30m");
    expect(objects[0]).toMatchObject({
      metadata: { name: "app", namespace: "team" },
      spec: { interval: "1h30m", ref: { digest } },
    });
    expect(objects[1]).toEqual({
      apiVersion: "kustomize.toolkit.fluxcd.io/v1",
      kind: "Kustomization",
      metadata: { name: "app", namespace: "team" },
      spec: { interval: "1h30m", sourceRef: { kind: "ExternalArtifact", name: "app" }, path: "./", prune: true },
    });
  });

  it("writes no ref where none was given", async () => {
    registry.store.putArtifact("untagged", {
      tag: "latest",
      layers: [
        {
          mediaType: "text/yaml",
          bytes: Buffer.from("a: 1"),
          annotations: { "org.opencontainers.image.title": "a.yaml" },
        },
      ],
    });
    const { text, objects } = await init(at("untagged"));
    expect(objects[0]!.spec.ref).toBeUndefined();
    expect(objects[1]!.kind).toBe("Kustomization");
    expect(await build(text)).toEqual(["a.yaml"]);
  });

  it.each([
    ["signed/bundle:1.0.0", "cosign"],
    ["signed/legacy:1.0.0", "cosign"],
    ["signed/notation-cose:1.0.0", "notation"],
    ["flux/app:1.0.0", undefined],
  ])("says in a comment how the signature of %s is verified: %s", async (artifact, provider) => {
    const { text, objects } = await init(at(artifact));
    expect(objects[0]!.spec.verify).toBeUndefined();
    const commented = /^ {2}# verify:\n(?: {2}# {2,}.*\n)+/m.exec(text)?.[0].replace(/^ {2}# /gm, "");
    expect(
      commented === undefined ? undefined : (parse(commented) as { verify: { provider: string } }).verify.provider,
    ).toBe(provider);
  });

  it("writes a file, but over none", async () => {
    const file = join(dir, "new.yaml");
    const made = await runStrata(["init", at("flux/app:1.0.0"), "--insecure", "-o", file]);
    expect(made).toMatchObject({ code: 0, stdout: "" });
    expect(made.stderr).toBe(
      `wrote ${file}\napply it: kubectl apply -f ${file}\nsee what comes of it: strata get -n default --watch\n`,
    );
    const before = await readFile(file, "utf8");
    expect(parseAllDocuments(before)).toHaveLength(2);
    const { code, stderr } = await runStrata(["init", at("helm/chart:0.1.0"), "--insecure", "-o", file]);
    expect({ code, text: await readFile(file, "utf8") }).toEqual({ code: 1, text: before });
    expect(stderr).toContain("StorageFailed");
  });

  it("leaves a place for the URL of an artifact on disk", async () => {
    const layout = fileURLToPath(new URL("../../testing/fixtures/oci/flux/app", import.meta.url));
    const { text, objects } = await init(`oci-layout://${layout}:1.0.0`);
    expect(objects[0]!.spec.url).toBe("oci://registry.example/repository");
    expect(text).toContain("put its repository here");
  });

  it("keeps what a registry says inside its comments", async () => {
    const text = "a\nspec: {url: x}\u2028\u0085b: c";
    registry.store.putArtifact("hostile", {
      tag: "1",
      config: { mediaType: "application/vnd.x", bytes: Buffer.from("[]") },
      layers: [1, 2].map((at) => ({
        mediaType: "text/plain",
        bytes: Buffer.from(String(at)),
        annotations: { "org.opencontainers.image.title": `${text}${at}`, "b\n: c": "x" },
      })),
      annotations: { [text]: text },
    });
    const other = registry.store.putArtifact("hostile", {
      config: { mediaType: `x/${text}`, bytes: Buffer.from("1") },
      layers: [{ mediaType: text, bytes: Buffer.from("3") }],
    });
    registry.store.putIndex(
      "hostile",
      [registry.store.manifest("hostile", "1")!, other].map((found) => ({
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: found.digest,
        size: registry.store.manifest("hostile", found.digest)!.stored.bytes.length,
      })),
      { tag: "index" },
    );
    const { text: written, objects } = await init(at("hostile:index"));
    expect(objects[0]!.spec.url).toBe(at("hostile"));
    expect(Object.keys(objects[0]!).toSorted()).toEqual(["apiVersion", "kind", "metadata", "spec"]);
    expect(written).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}]/u);
  });

  it.each([
    ["no reference", [], 2],
    ["a name that is none", ["HOST/flux/app:1.0.0", "--name", "My App"], 2],
    ["a namespace that is none", ["HOST/flux/app:1.0.0", "-n", "a.b"], 2],
    ["an interval that is none", ["HOST/flux/app:1.0.0", "--interval", "often"], 1],
    ["an artifact that is not there", ["HOST/flux/app:nothing"], 1],
  ])("fails with %s", async (_, args, expected) => {
    const { code, stdout } = await runStrata([
      "init",
      ...args.map((arg) => arg.replace("HOST", registry.host)),
      "--insecure",
    ]);
    expect({ code, stdout }).toEqual({ code: expected, stdout: "" });
  });

  it("fails where there is nothing to take", async () => {
    registry.store.putIndex("empty", [], { tag: "1" });
    const { code, stderr } = await runStrata(["init", at("empty:1"), "--insecure"]);
    expect(code).toBe(1);
    expect(stderr).toContain("NoManifestMatch");
  });
});
