import { beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { codeOf } from "../errors.ts";
import { ociConfigType, ociEmptyType } from "../oci/media-types.ts";
import type { Annotations, Descriptor } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { selectLayers } from "./select.ts";
import type { Selection, SelectRequest } from "./selection.ts";

const signal = new AbortController().signal;
const title = (name: string): Annotations => ({ "org.opencontainers.image.title": name });

interface LayerRow {
  readonly type: string;
  readonly annotations?: Annotations;
}

interface Row {
  readonly name: string;
  readonly config?: string;
  readonly artifactType?: string;
  readonly annotations?: Annotations;
  readonly layers: readonly (string | LayerRow)[];
  readonly profile: string | undefined;
  readonly operation: OperationName;
  readonly taken: readonly number[];
  readonly names?: readonly (string | undefined)[];
}

let repository: MemoryRepository;
beforeEach(() => {
  repository = new MemoryRepository();
});

function push({
  config = ociEmptyType,
  artifactType,
  annotations,
  layers,
}: Pick<Row, "config" | "artifactType" | "annotations" | "layers">): Descriptor {
  const described = (layer: string | LayerRow, at: number): Descriptor => {
    const { type, annotations }: LayerRow = typeof layer === "string" ? { type: layer } : layer;
    return { ...repository.blob(`${at}`, type), ...(annotations && { annotations }) };
  };
  return repository.manifest({
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
    config: repository.blob("{}", config),
    layers: layers.map(described),
  });
}

/** A child of an index, with what its descriptor says of it. */
function child(shape: Parameters<typeof push>[0], told: Partial<Descriptor>): Descriptor {
  return { ...push(shape), ...told };
}

async function select(root: Descriptor, selectors: Partial<SelectRequest> = {}): Promise<Selection> {
  return await selectLayers({ root, repository, limits: defaultLimits, signal, ...selectors });
}

const fluxContent = "application/vnd.cncf.flux.content.v1.tar+gzip";
const helm = "application/vnd.cncf.helm.config.v1+json";
const chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const kyverno = "application/vnd.cncf.kyverno.config.v1+json";
const policy = (kind: string, name: string): LayerRow => ({
  type: "application/vnd.cncf.kyverno.policy.layer.v1+yaml",
  annotations: {
    "io.kyverno.image.kind": kind,
    "io.kyverno.image.name": name,
    "io.kyverno.image.apiVersion": "kyverno.io/v1",
  },
});
const imageLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
const dockerModel = "application/vnd.docker.ai.model.config.v0.1+json";

const known: readonly Row[] = [
  {
    name: "Flux directory",
    config: "application/vnd.cncf.flux.config.v1+json",
    layers: [fluxContent],
    profile: "flux",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "Flux single file",
    config: "application/vnd.cncf.flux.config.v1+json",
    layers: ["application/vnd.cncf.flux.content.v1.yaml"],
    profile: "flux-file",
    operation: "Copy",
    taken: [0],
  },
  { name: "chart", config: helm, layers: [chart], profile: "helm", operation: "Copy", taken: [0] },
  {
    name: "signed chart, provenance first",
    config: helm,
    layers: ["application/vnd.cncf.helm.chart.provenance.v1.prov", chart],
    profile: "helm",
    operation: "Copy",
    taken: [1],
  },
  {
    name: "signed chart, provenance second",
    config: helm,
    layers: [chart, "application/vnd.cncf.helm.chart.provenance.v1.prov"],
    profile: "helm",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "hardened chart with SBOM",
    config: helm,
    layers: ["application/vnd.cyclonedx.tar+gzip", chart, "application/spdx+json"],
    profile: "helm",
    operation: "Copy",
    taken: [1],
  },
  {
    name: "chart of Helm before 3.7",
    config: helm,
    layers: ["application/tar+gzip"],
    profile: "helm",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "Timoni module",
    config: "application/vnd.timoni.config.v1+json",
    layers: ["application/vnd.timoni.content.v1.tar+gzip", "application/vnd.timoni.content.v1.tar+gzip"],
    profile: "timoni",
    operation: "ExtractAll",
    taken: [0, 1],
  },
  {
    name: "Kyverno policies",
    config: kyverno,
    layers: [policy("ClusterPolicy", "a"), policy("Policy", "a")],
    profile: "kyverno",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["clusterpolicy-a.yaml", "policy-a.yaml"],
  },
  {
    name: "Kyverno policies of one name",
    config: kyverno,
    layers: [policy("Policy", "a"), policy("Policy", "a")],
    profile: "kyverno",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["policy-a.yaml", "policy-a-1.yaml"],
  },
  {
    name: "Kyverno policy with a hostile name",
    config: kyverno,
    layers: [policy("../Policy", "../../x")],
    profile: "kyverno",
    operation: "ExtractAll",
    taken: [0],
    names: ["..-policy-..-..-x.yaml"],
  },
  {
    name: "OPA policies",
    config: "application/vnd.cncf.openpolicyagent.config.v1+json",
    layers: [
      { type: "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego", annotations: title("policy/x.rego") },
      { type: "application/vnd.cncf.openpolicyagent.data.layer.v1+json", annotations: title("data/data/x.yml") },
    ],
    profile: "opa",
    operation: "ExtractAll",
    taken: [0, 1],
  },
  {
    name: "OPA bundle by artifactType",
    artifactType: "application/vnd.cncf.openpolicyagent.config.v1+json",
    layers: ["application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"],
    profile: "opa",
    operation: "ExtractAll",
    taken: [0],
  },
  {
    name: "Compose project",
    artifactType: "application/vnd.docker.compose.project",
    layers: [
      { type: "application/vnd.docker.compose.file+yaml", annotations: { "com.docker.compose.file": "compose.yaml" } },
      {
        type: "application/vnd.docker.compose.envfile",
        annotations: { "com.docker.compose.envfile": "/home/me/.env" },
      },
    ],
    profile: "compose",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["compose.yaml", ".env"],
  },
  {
    name: "Compose for OCI 1.0 registries",
    config: "application/vnd.docker.compose.config.empty.v1+json",
    layers: ["application/vnd.docker.compose.file+yaml"],
    profile: "compose",
    operation: "ExtractAll",
    taken: [0],
  },
  {
    name: "CNAB bundle",
    config: "application/vnd.cnab.config.v1+json",
    layers: [],
    profile: "cnab",
    operation: "Copy",
    taken: [-1],
    names: ["bundle.json"],
  },
  {
    name: "CNAB bundle, as its README has it",
    config: "application/vnd.oci.cnab.config.v1+json",
    layers: [],
    profile: "cnab",
    operation: "Copy",
    taken: [-1],
    names: ["bundle.json"],
  },
  {
    name: "ModelPack",
    artifactType: "application/vnd.cnai.model.manifest.v1+json",
    config: "application/vnd.cnai.model.config.v1+json",
    layers: [
      {
        type: "application/vnd.cnai.model.weight.v1.raw",
        annotations: { "org.cnai.model.filepath": "model.safetensors" },
      },
      { type: "application/vnd.cncf.model.doc.v1.tar", annotations: { "org.cncf.model.filepath": "docs/README.md" } },
    ],
    profile: "modelpack",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["model.safetensors", "docs/README.md"],
  },
  {
    name: "KitOps",
    config: "application/vnd.kitops.modelkit.config.v1+json",
    layers: ["application/vnd.kitops.modelkit.model.v1.tar+gzip", "application/vnd.kitops.modelkit.code.v1.tar"],
    profile: "kitops",
    operation: "ExtractAll",
    taken: [0, 1],
  },
  {
    name: "Docker model in shards",
    config: dockerModel,
    layers: [
      "application/vnd.docker.ai.safetensors",
      "application/vnd.docker.ai.safetensors",
      "application/vnd.docker.ai.license",
      "application/vnd.docker.ai.vllm.config.tar",
    ],
    profile: "docker-model",
    operation: "ExtractAll",
    taken: [0, 1, 2, 3],
    names: ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "LICENSE", undefined],
  },
  {
    name: "Docker model of one file",
    config: "application/vnd.docker.ai.model.config.v0.2+json",
    layers: [
      "application/vnd.docker.ai.gguf.v3",
      {
        type: "application/vnd.docker.ai.model.file",
        annotations: { "org.cncf.model.filepath": "text_encoder/model.safetensors" },
      },
    ],
    profile: "docker-model",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["model.gguf", "text_encoder/model.safetensors"],
  },
  {
    name: "CUE module",
    config: "application/vnd.cue.module.v1+json",
    layers: ["application/zip", "application/vnd.cue.modulefile.v1"],
    profile: "cue",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "Wasm",
    config: "application/vnd.wasm.config.v0+json",
    layers: ["application/wasm"],
    profile: "wasm",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "Wasm of older tools",
    config: "application/vnd.wasm.config.v1+json",
    layers: ["application/vnd.wasm.content.layer.v1+wasm"],
    profile: "wasm",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "OpenTofu module",
    artifactType: "application/vnd.opentofu.modulepkg",
    layers: ["archive/zip"],
    profile: "opentofu",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "Falco plugin",
    config: "application/vnd.cncf.falco.plugin.config.v1+json",
    layers: [{ type: "application/vnd.cncf.falco.plugin.layer.v1+tar.gz", annotations: title("plugin.tar.gz") }],
    profile: "falco",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "Zarf package of one layer",
    config: "application/vnd.zarf.config.v1+json",
    layers: [{ type: "application/vnd.zarf.layer.v1.blob", annotations: title("zarf.yaml") }],
    profile: "zarf",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "OCM component without resources",
    config: "application/vnd.ocm.software.component.config.v1+json",
    layers: ["application/vnd.ocm.software.component-descriptor.v2+yaml+tar"],
    profile: "ocm",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "cosign bundle",
    artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    layers: ["application/vnd.dev.sigstore.bundle.v0.3+json"],
    profile: "cosign-bundle",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "PyOCI",
    artifactType: "application/pyoci.package.v1",
    layers: ["application/pyoci.package.v1"],
    profile: "pyoci",
    operation: "Copy",
    taken: [0],
  },
  {
    name: "Homebrew bottle",
    config: ociConfigType,
    annotations: { "sh.brew.bottle.digest": "abc" },
    layers: [{ type: imageLayer, annotations: title("hello--2.12.bottle.tar.gz") }],
    profile: "homebrew",
    operation: "Extract",
    taken: [0],
  },
  {
    name: "Crossplane package",
    config: ociConfigType,
    layers: [
      imageLayer,
      { type: imageLayer, annotations: { "io.crossplane.xpkg": "base" } },
      { type: imageLayer, annotations: { "io.crossplane.xpkg": "upbound" } },
    ],
    profile: "crossplane",
    operation: "Extract",
    taken: [1],
  },
  {
    name: "Tekton bundle",
    config: ociConfigType,
    layers: ["task", "pipeline"].map((kind) => ({
      type: imageLayer,
      annotations: { "dev.tekton.image.kind": kind, "dev.tekton.image.name": "x" },
    })),
    profile: "tekton",
    operation: "ExtractAll",
    taken: [0, 1],
    names: ["task-x.yaml", "pipeline-x.yaml"],
  },
  {
    name: "BuildKit attestations",
    config: ociConfigType,
    layers: ["https://spdx.dev/Document", "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v1"].map(
      (type) => ({ type: "application/vnd.in-toto+json", annotations: { "in-toto.io/predicate-type": type } }),
    ),
    profile: "attestations",
    operation: "ExtractAll",
    taken: [0, 1, 2],
    names: ["spdx.dev-Document.json", "slsa.dev-provenance-v1.json", "slsa.dev-provenance-v1-2.json"],
  },
  {
    name: "image",
    config: ociConfigType,
    layers: [imageLayer, "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+zstd"],
    profile: "image",
    operation: "ExtractAll",
    taken: [0, 1, 2],
  },
  {
    name: "Docker image",
    config: "application/vnd.docker.container.image.v1+json",
    layers: [
      "application/vnd.docker.image.rootfs.diff.tar.gzip",
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
    profile: "image",
    operation: "ExtractAll",
    taken: [0, 1],
  },
  {
    name: "ORAS files and a directory",
    artifactType: "application/vnd.example.v1",
    layers: [
      { type: "text/plain", annotations: title("a/b.txt") },
      { type: imageLayer, annotations: { ...title("dir"), "io.deis.oras.content.unpack": "true" } },
    ],
    profile: "oras",
    operation: "ExtractAll",
    taken: [0, 1],
  },
  {
    name: "ORAS files of old tools",
    config: "application/vnd.unknown.config.v1+json",
    layers: [{ type: imageLayer, annotations: title("a.txt") }],
    profile: "oras",
    operation: "ExtractAll",
    taken: [0],
  },
  {
    name: "unknown layout with one layer",
    artifactType: "application/vnd.example.v1",
    layers: ["application/vnd.example.tar.gzip"],
    profile: undefined,
    operation: "Extract",
    taken: [0],
  },
  {
    name: "unknown layout with an empty descriptor beside its layer",
    artifactType: "application/vnd.example.v1",
    layers: [ociEmptyType, "application/vnd.example.tar.gzip"],
    profile: undefined,
    operation: "Extract",
    taken: [1],
  },
];

describe("known layouts, without a selector", () => {
  it.each(known)(
    "$name: $operation of $taken",
    async ({ profile, operation, taken, names = taken.map(() => undefined), ...shape }) => {
      const selection = await select(push(shape));
      expect(selection.profile).toBe(profile);
      expect(selection.operation).toBe(operation);
      expect(selection.layers.map(({ ordinal }) => ordinal)).toEqual(taken);
      expect(
        selection.layers.map((layer) => selection.nameOf?.(layer, { tag: "1.0.0", repository: "team/app" })),
      ).toEqual(names);
      expect(selection.layout).toBe("Merge");
    },
  );

  it.each([
    { name: "two charts", config: helm, layers: [chart, chart] },
    {
      name: "a Zarf package",
      config: "application/vnd.zarf.config.v1+json",
      layers: [
        { type: "application/vnd.zarf.layer.v1.blob", annotations: title("zarf.yaml") },
        { type: "application/vnd.zarf.layer.v1.blob", annotations: title("components/x.tar") },
      ],
    },
    {
      name: "an OCM component",
      config: "application/vnd.ocm.software.component.config.v1+json",
      layers: ["application/vnd.ocm.software.component-descriptor.v2+yaml+tar", "text/plain"],
    },
    { name: "an image with something else in it", config: ociConfigType, layers: [imageLayer, "text/plain"] },
    {
      name: "files of which one has no title",
      artifactType: "application/x",
      layers: [{ type: "text/plain", annotations: title("a") }, "text/plain"],
    },
    { name: "a known type without any of its layers", config: helm, layers: ["text/plain", "text/csv"] },
  ])("$name: nobody but the user can choose", async (shape) => {
    await expect(select(push(shape))).rejects.toMatchObject({ code: "AmbiguousLayer" });
  });
});

describe("known layouts of an index", () => {
  const unknown = { os: "unknown", architecture: "unknown" };
  const attestation = (of: Descriptor): Descriptor => ({
    ...push({ config: ociConfigType, layers: ["application/vnd.in-toto+json"] }),
    platform: unknown,
    annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of.digest },
  });
  const image = (architecture: string): Descriptor => ({
    ...push({ config: ociConfigType, layers: [imageLayer], annotations: { architecture } }),
    platform: { os: "linux", architecture },
  });

  it("BuildKit: the attestation is passed over, unread", async () => {
    const [only, proof] = [image("amd64"), attestation(image("amd64"))];
    const selection = await select(repository.manifest({ manifests: [proof, only] }));
    expect(selection.nodes.map(({ descriptor }) => descriptor.digest)).toEqual([only.digest]);
    expect(repository.fetched).not.toContain(proof.digest);
  });

  it.each([
    { by: "its annotation", indexSelector: { annotations: { "vnd.docker.reference.type": "attestation-*" } } },
    { by: "its platform", indexSelector: { platform: "unknown/unknown" } },
  ])("BuildKit: the attestation can be selected by $by", async ({ indexSelector }) => {
    const selection = await select(repository.manifest({ manifests: [image("amd64"), attestation(image("amd64"))] }), {
      indexSelector,
    });
    expect(selection.profile).toBe("attestations");
  });

  it("BuildKit: the attestation can be selected by its type, but not by a glob that images match too", async () => {
    const only = image("amd64");
    const proof = { ...attestation(only), artifactType: "application/vnd.docker.attestation.manifest.v1+json" };
    const root = repository.manifest({ manifests: [only, proof] });
    expect(
      (await select(root, { indexSelector: { artifactType: "application/vnd.docker.attestation.*" } })).profile,
    ).toBe("attestations");
    expect((await select(root, { indexSelector: { artifactType: "application/*" } })).profile).toBe("image");
  });

  it("Tape: unknown/unknown alone hides nothing", async () => {
    const types = [
      "application/vnd.docker.tape.content.v1alpha1.tar+gzip",
      "application/vnd.docker.tape.attest.v1alpha1.jsonl+gzip",
    ];
    const manifests = types.map((type) =>
      child({ config: type, layers: [type] }, { artifactType: type, platform: unknown }),
    );
    const root = repository.manifest({ manifests });
    await expect(select(root)).rejects.toMatchObject({
      code: "AmbiguousManifest",
      details: { suggestion: { indexSelector: { artifactType: types[0] } } },
    });
    expect(await select(root, { indexSelector: { artifactType: "*.content.*" } })).toMatchObject({
      profile: "tape",
      operation: "Extract",
    });
    expect(await select(root, { indexSelector: { artifactType: "*.attest.*" } })).toMatchObject({
      profile: "tape-attestations",
      operation: "Copy",
    });
    expect((await select(repository.manifest({ manifests: manifests.slice(0, 1) }))).profile).toBe("tape");
  });

  it("chart beside image: by the descriptor's type, without fetching the images", async () => {
    const beside = { ...push({ config: helm, layers: [chart] }), artifactType: helm };
    const typed = { ...image("amd64"), artifactType: ociConfigType };
    const root = repository.manifest({ manifests: [typed, beside] });
    expect((await select(root, { indexSelector: { artifactType: helm } })).profile).toBe("helm");
    expect(repository.fetched).toEqual([root.digest, beside.digest]);
    await expect(select(root)).rejects.toMatchObject({ code: "AmbiguousManifest" });
  });

  it("CNAB: the bundle among its images, by annotation", async () => {
    const kind = (descriptor: Descriptor, type: string): Descriptor => ({
      ...descriptor,
      annotations: { "io.cnab.manifest.type": type },
    });
    const root = repository.manifest({
      manifests: [kind(push({ config: ociConfigType, layers: [] }), "config"), kind(image("amd64"), "invocation")],
    });
    expect(codeOf(await select(root).catch((error: unknown) => error))).toBe("AmbiguousManifest");
    expect(await select(root, { indexSelector: { annotations: { "io.cnab.manifest.type": "config" } } })).toMatchObject(
      { profile: "cnab", operation: "Copy" },
    );
  });

  it.each([
    {
      name: "OpenTofu provider",
      artifactType: "application/vnd.opentofu.provider-target",
      layer: "archive/zip",
      profile: "opentofu",
    },
    {
      name: "Falco plugin",
      artifactType: "application/vnd.cncf.falco.plugin.config.v1+json",
      layer: "application/vnd.cncf.falco.plugin.layer.v1+tar.gz",
      profile: "falco",
    },
  ])("$name: by platform, linux/amd64 unless said", async ({ artifactType, layer, profile }) => {
    const manifests = ["arm64", "amd64"].map((architecture) =>
      child(
        { artifactType, layers: [layer], annotations: { architecture } },
        { artifactType, platform: { os: "linux", architecture } },
      ),
    );
    const root = repository.manifest({ manifests, artifactType: "application/vnd.opentofu.provider" });
    const usual = await select(root);
    expect(usual).toMatchObject({ profile, note: "linux/amd64 was taken, since indexSelector.platform is absent" });
    expect(usual.nodes[0]?.descriptor.digest).toBe(manifests[1]!.digest);
    expect((await select(root, { indexSelector: { platform: "linux/arm64" } })).nodes[0]?.descriptor.digest).toBe(
      manifests[0]!.digest,
    );
  });

  it("Homebrew: by platform, whose os.version plays no part", async () => {
    const bottle = (architecture: string, version: string): Descriptor => ({
      ...push({
        config: ociConfigType,
        layers: [{ type: imageLayer, annotations: title(`hello.${version}.bottle.tar.gz`) }],
        annotations: { version },
      }),
      platform: { os: "darwin", architecture },
      annotations: { "sh.brew.bottle.digest": version, "org.opencontainers.image.ref.name": version },
    });
    const root = repository.manifest({ manifests: [bottle("arm64", "arm64_sonoma"), bottle("amd64", "sonoma")] });
    expect((await select(root, { indexSelector: { platform: "darwin/arm64" } })).profile).toBe("homebrew");
    await expect(select(root)).rejects.toMatchObject({
      code: "AmbiguousManifest",
      details: { suggestion: { indexSelector: { platform: "darwin/arm64" } } },
    });
  });

  it("PyOCI: whose platforms are file suffixes", async () => {
    const type = "application/pyoci.package.v1";
    const manifests = [".tar.gz", "py3-none-any.whl"].map((architecture) =>
      child(
        { artifactType: type, layers: [type], annotations: { architecture } },
        { artifactType: type, platform: { os: "any", architecture } },
      ),
    );
    const root = repository.manifest({ manifests, artifactType: type });
    expect((await select(root, { indexSelector: { platform: "any/.tar.gz" } })).profile).toBe("pyoci");
    await expect(select(root)).rejects.toMatchObject({
      details: { suggestion: { indexSelector: { platform: "any/.tar.gz" } } },
    });
  });

  it("cosign: the fallback tag's index", async () => {
    const type = "application/vnd.dev.sigstore.bundle.v0.3+json";
    const root = repository.manifest({
      manifests: [{ ...push({ artifactType: type, layers: [type] }), artifactType: type }],
    });
    expect((await select(root)).profile).toBe("cosign-bundle");
  });

  it("OCM: a component index with an index in it", async () => {
    const descriptor = push({
      config: "application/vnd.ocm.software.component.config.v1+json",
      layers: ["application/vnd.ocm.software.component-descriptor.v2+yaml+tar"],
    });
    const inner = repository.manifest({ manifests: [image("amd64")] });
    const root = repository.manifest({ manifests: [descriptor, inner] });
    expect((await select(root, { indexSelector: { artifactType: "*.ocm.*" } })).profile).toBe("ocm");
    expect((await select(root, { indexSelector: { platform: "linux/amd64" } })).profile).toBe("image");
  });
});
