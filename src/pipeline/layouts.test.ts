import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { defaultLimits } from "../config.ts";
import { selectLayers } from "../select/select.ts";
import type { IndexSelector, LayerSelector } from "../select/selection.ts";
import { openLayout } from "../registry/layout.ts";
import { filesIn } from "../testing/archives/layers.ts";
import { buildArtifact, type Built } from "./build.ts";
import { selectRequest } from "./select.ts";

/** Artifacts by the real tools: what is published is what the tool itself pulls (see docs/layouts.md). */
const fixtures = join(import.meta.dirname, "../testing/fixtures/layouts");
const signal = new AbortController().signal;

interface Row {
  readonly artifact: string;
  readonly tag: string;
  readonly profile: string | undefined;
  readonly operation: string;
  readonly indexSelector?: IndexSelector;
  readonly layerSelector?: LayerSelector;
  /** Files in the order of their paths; a folder of `expected/` has the content. */
  readonly files: readonly string[] | "expected";
  readonly expected?: string;
  /** Files that the tool writes anew when it pulls. */
  readonly rewritten?: readonly string[];
  /** How many of the files are manifests that kustomize-controller applies; default: none. */
  readonly manifests?: number;
}

const rows: readonly Row[] = [
  {
    artifact: "tekton",
    tag: "1.0",
    profile: "tekton",
    operation: "ExtractAll",
    files: ["task-build.yaml", "task-test.yaml"],
    manifests: 2,
  },
  { artifact: "kitops", tag: "1.0.0", profile: "kitops", operation: "ExtractAll", files: "expected" },
  { artifact: "modelpack-tar", tag: "1.0.0", profile: "modelpack", operation: "ExtractAll", files: "expected" },
  {
    artifact: "docker-model",
    tag: "1.0",
    profile: "docker-model",
    operation: "ExtractAll",
    files: ["LICENSE", "LICENSE-2", "config.json", "model.gguf", "model.mmproj", "template.jinja"],
    expected: "docker-model",
  },
  { artifact: "conftest", tag: "1.0.0", profile: "opa", operation: "ExtractAll", files: "expected" },
  { artifact: "cue", tag: "v0.1.0", profile: "cue", operation: "Extract", files: "expected" },
  {
    artifact: "imgpkg-bundle",
    tag: "1.0.0",
    profile: "image",
    operation: "ExtractAll",
    files: "expected",
    rewritten: [".imgpkg/images.yml"],
    manifests: 2,
  },
  {
    artifact: "crossplane",
    tag: "v1.0.0",
    profile: "crossplane",
    operation: "Extract",
    files: "expected",
    manifests: 1,
  },
  {
    artifact: "compose",
    tag: "1.1",
    profile: "compose",
    operation: "ExtractAll",
    files: ["a1b2c3.yaml", "compose.override.yaml", "compose.yaml", "d4e5f6.env", "image-digests.yaml"],
  },
  { artifact: "compose-oci10", tag: "1.0", profile: "compose", operation: "ExtractAll", files: ["compose.yaml"] },
  {
    artifact: "cnab",
    tag: "0.1.0",
    profile: "cnab",
    operation: "Copy",
    indexSelector: { annotations: { "io.cnab.manifest.type": "config" } },
    files: "expected",
  },
  { artifact: "falco-plugin", tag: "0.1.0", profile: "falco", operation: "Extract", files: "expected" },
  { artifact: "falco-rules", tag: "0.1.0", profile: "falco", operation: "Extract", files: "expected" },
  {
    artifact: "homebrew",
    tag: "1.0",
    profile: "homebrew",
    operation: "Extract",
    files: ["demo/1.0/.brew/demo.rb", "demo/1.0/INSTALL_RECEIPT.json", "demo/1.0/bin/demo"],
  },
  { artifact: "tofu-module", tag: "1.0.0", profile: "opentofu", operation: "Extract", files: "expected" },
  {
    artifact: "tape",
    tag: "config.a46abfb",
    profile: "tape",
    operation: "Extract",
    indexSelector: { artifactType: "application/vnd.docker.tape.content.*" },
    files: "expected",
    manifests: 2,
  },
  {
    artifact: "tape",
    tag: "config.a46abfb",
    profile: "tape-attestations",
    operation: "Copy",
    indexSelector: { artifactType: "application/vnd.docker.tape.attest.*" },
    files: ["tape.jsonl.gz"],
  },
  { artifact: "oras-mixed", tag: "1", profile: "oras", operation: "ExtractAll", files: "expected" },
  {
    artifact: "oras-png",
    tag: "1",
    profile: "oras",
    operation: "ExtractAll",
    files: ["a.yaml", "logo.png", "pics/logo.png", "pics/readme.txt"],
  },
  {
    artifact: "oras-index",
    tag: "1",
    profile: "oras",
    operation: "ExtractAll",
    indexSelector: { artifactType: "application/vnd.example.site.v1" },
    files: "expected",
    expected: "oras-index-site",
  },
  {
    artifact: "oras-mix-tarball",
    tag: "1",
    profile: "oras",
    operation: "ExtractAll",
    layerSelector: { layout: "LayerPerDir" },
    files: ["site/site/css/a.css", "site/site/index.html", "tool_linux.tar.gz/tool"],
  },
  {
    artifact: "regctl",
    tag: "1",
    profile: "oras",
    operation: "ExtractAll",
    files: ["data.json", "values.yaml"],
  },
  { artifact: "cosign-blob", tag: "1", profile: undefined, operation: "Copy", files: ["cosign-blob.txt"] },
  { artifact: "timoni-art", tag: "1.0.0", profile: "timoni", operation: "ExtractAll", files: ["values.yaml"] },
  { artifact: "wasm-to-oci", tag: "v1", profile: "wasm", operation: "Copy", files: "expected" },
  { artifact: "wasm-wkg", tag: "1.0.0", profile: "wasm", operation: "Copy", files: ["wasm-wkg.wasm"] },
  {
    artifact: "pyoci-shape",
    tag: "0.1.0",
    profile: "pyoci",
    operation: "Copy",
    indexSelector: { platform: "any/py3-none-any.whl" },
    files: ["pyoci_shape-0.1.0-py3-none-any.whl"],
  },
  { artifact: "buildkit-shape", tag: "1.0", profile: "image", operation: "ExtractAll", files: ["app"] },
  {
    artifact: "buildkit-shape",
    tag: "1.0",
    profile: "attestations",
    operation: "ExtractAll",
    indexSelector: { platform: "unknown/unknown", match: "First" },
    files: ["slsa.dev-provenance-v0.2.json", "spdx.dev-Document.json"],
  },
  {
    artifact: "buildkit-shape",
    tag: "1.0",
    profile: "attestations",
    operation: "ExtractAll",
    indexSelector: { platform: "unknown/unknown", match: "All" },
    layerSelector: { layout: "ManifestPerDir" },
    files: [
      "07f0be668874/slsa.dev-provenance-v0.2.json",
      "07f0be668874/spdx.dev-Document.json",
      "6649990b861c/slsa.dev-provenance-v0.2.json",
      "6649990b861c/spdx.dev-Document.json",
    ],
  },
  {
    artifact: "zarf-shape",
    tag: "1.0.0",
    profile: "zarf",
    operation: "Copy",
    layerSelector: { annotations: { "org.opencontainers.image.title": "zarf.yaml" } },
    files: ["zarf.yaml"],
  },
  {
    artifact: "ocm",
    tag: "1.0.0",
    profile: "ocm",
    operation: "Extract",
    layerSelector: { mediaType: "application/x-tar+gzip" },
    files: "expected",
    expected: "ocm/manifests",
    manifests: 1,
  },
];

/** kustomize-controller takes the YAML files that hold objects, where no kustomization.yaml names them. */
function isManifest([path, text]: readonly [path: string, text: string]): boolean {
  if (!/\.ya?ml$/.test(path)) return false;
  return parseAllDocuments(text).some((document) => {
    const value: unknown = document.toJS();
    return typeof value === "object" && value !== null && "apiVersion" in value && "kind" in value;
  });
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-layouts-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function build(row: Row): Promise<Built> {
  const repository = openLayout(join(fixtures, "oci", row.artifact), defaultLimits);
  const spec = {
    url: `oci://registry.example/${row.artifact}`,
    interval: "10m",
    timeout: "60s",
    ...(row.indexSelector && { indexSelector: row.indexSelector }),
    ...(row.layerSelector && { layerSelector: row.layerSelector }),
  } as unknown as ArtifactRepositorySpec;
  const context = {
    spec,
    repository,
    resolved: { root: await repository.resolve(row.tag, signal), tag: row.tag },
    repositoryPath: `team/${row.artifact}`,
    dir: await mkdtemp(join(dir, "build-")),
    limits: defaultLimits,
    signal,
  };
  return await buildArtifact(context, await selectLayers(selectRequest(context)));
}

/** Path to text of what the tool itself pulls. */
async function pulled(folder: string): Promise<Map<string, string>> {
  const root = join(fixtures, "expected", folder);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = new Map<string, string>();
  for (const entry of entries.filter((found) => found.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files.set(relative(root, path), await readFile(path, "latin1"));
  }
  return files;
}

describe("what the real tools make", () => {
  it.each(rows)("$artifact, $operation", async (row) => {
    const { selection, result } = await build(row);
    expect({ profile: selection.profile, operation: selection.operation }).toEqual({
      profile: row.profile,
      operation: row.operation,
    });
    const published = new Map(
      [...(await filesIn(result.blob.path))].flatMap(([path, { content }]) =>
        path.endsWith("/") ? [] : [[path, content.toString("latin1")] as const],
      ),
    );
    if (row.files !== "expected") expect([...published.keys()].toSorted()).toEqual(row.files);
    const folder = row.expected ?? (row.files === "expected" ? row.artifact : undefined);
    if (folder !== undefined) {
      const wanted = await pulled(folder);
      for (const [path, text] of wanted)
        if (!row.rewritten?.includes(path)) expect([path, published.get(path)]).toEqual([path, text]);
      if (row.files === "expected") expect([...published.keys()].toSorted()).toEqual([...wanted.keys()].toSorted());
    }
    expect([...published].filter(isManifest).length).toBe(row.manifests ?? 0);
  });
});
