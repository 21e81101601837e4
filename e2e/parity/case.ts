import type { Random } from "../../src/testing/fuzz/random.ts";
import { Random as Seeded } from "../../src/testing/fuzz/random.ts";
import type { ArtifactContent, Content } from "../push.ts";
import { randomArchive, randomIgnore, type Archive } from "./archive.ts";

type Spec = Readonly<Record<string, unknown>>;

export interface Layer extends Archive {
  readonly mediaType: string;
  readonly title: string | undefined;
}

export interface Manifest {
  readonly layers: readonly Layer[];
  readonly config: string;
  readonly platform: string | undefined;
}

/** What a repository has under some tags: a manifest, or an index of several. */
export interface Artifact {
  readonly tags: readonly string[];
  readonly manifests: readonly Manifest[];
  readonly isIndex: boolean;
}

/** One object of both kinds, what its repository has, and what happens to it. */
export interface Case {
  readonly index: number;
  readonly artifacts: readonly Artifact[];
  /** Without `url` and what the harness adds. */
  readonly spec: Spec;
  readonly edit: Edit;
}

export type Edit =
  | { readonly kind: "spec"; readonly spec: Spec }
  /** The first artifact's tags are moved to this one, and a reconcile is asked for. */
  | { readonly kind: "push"; readonly artifact: Artifact };

const layerTypes = [
  "application/vnd.cncf.flux.content.v1.tar+gzip",
  "application/vnd.cncf.flux.content.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
  "application/vnd.cncf.helm.chart.provenance.v1.prov",
  "application/vnd.timoni.content.v1.tar+gzip",
  "application/gzip",
  "application/octet-stream",
  "application/vnd.example.content",
];
const configTypes = [
  "application/vnd.oci.empty.v1+json",
  "application/vnd.cncf.flux.config.v1+json",
  "application/vnd.cncf.helm.config.v1+json",
  "application/vnd.timoni.config.v1+json",
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.example.config.v1+json",
];
const tags = ["1.0.0", "1.1.0", "2.0.0-rc.1", "v1.2.0", "latest", "main-2", "1.1.0_build.5", "0.9"];
const ranges = ["*", ">=1.0.0", "^1.0", "~1.0.0", ">=1.0.0-0", ">99", "1.x || 2.x", "<0.0.1"];
const filters = [".*-rc.*", "^1\\.", "^none$", "^v"];

/** The case of that number: the same seed gives the same one, whatever was run before it. */
export function randomCase(seed: number, index: number): Case {
  const random = new Seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const first = artifactOf(
    random,
    tags.filter(() => random.chance(2)),
    `${index}-a`,
  );
  const others = tags.filter((tag) => !first.tags.includes(tag));
  const artifacts = random.chance(3) && others.length > 0 ? [first, artifactOf(random, others, `${index}-b`)] : [first];
  const spec = { ...refOf(random), ...contentOf(random, artifacts), ...accessOf(random) };
  return { index, artifacts, spec, edit: editOf(random, { artifacts, spec, index }) };
}

function artifactOf(random: Random, chosen: readonly string[], mark: string): Artifact {
  const isIndex = random.chance(8);
  const count = isIndex ? 1 + random.below(3) : 1;
  const manifests = Array.from({ length: count }, (_, at) => manifestOf(random, `${mark}-${at}`, isIndex));
  return { tags: chosen.length > 0 ? chosen : ["1.0.0"], manifests, isIndex };
}

function manifestOf(random: Random, mark: string, isIndex: boolean): Manifest {
  const count = random.chance(4) ? random.below(4) : 1;
  const hasTitles = random.chance(6);
  const type = random.chance(2) ? random.pick(layerTypes) : undefined;
  const layers = Array.from({ length: count }, (_, at) => ({
    ...randomArchive(random, `${mark}-${at}`),
    mediaType: type ?? random.pick(layerTypes),
    title: hasTitles ? `layer-${at}` : undefined,
  }));
  const platform = isIndex ? random.pick([undefined, "linux/amd64", "linux/arm64", "unknown/unknown"]) : undefined;
  return { layers, config: random.pick(configTypes), platform };
}

function refOf(random: Random): Spec {
  if (random.chance(10)) return {};
  if (random.chance(4))
    return { ref: { semver: random.pick(ranges), ...(random.chance(4) && { semverFilter: random.pick(filters) }) } };
  return { ref: { tag: random.pick(tags) } };
}

function contentOf(random: Random, artifacts: readonly Artifact[]): Spec {
  const ignore = random.chance(3) ? { ignore: randomIgnore(random) } : {};
  if (random.chance(2)) return ignore;
  const types = artifacts.flatMap(({ manifests }) =>
    manifests.flatMap(({ layers }) => layers.map((layer) => layer.mediaType)),
  );
  const mediaType = random.chance(12) ? "application/vnd.example.none" : random.pick([...types, layerTypes[0]!]);
  const operation = random.pick([undefined, undefined, "extract", "copy"]);
  const layerSelector = {
    ...(!random.chance(4) && { mediaType }),
    ...(operation !== undefined && { operation }),
  };
  return { ...ignore, layerSelector };
}

/** Mostly nothing; else something that is not there, or a timeout. */
function accessOf(random: Random): Spec {
  if (!random.chance(8)) return {};
  return random.pick<Spec>([
    { secretRef: { name: "missing" } },
    { certSecretRef: { name: "missing" }, insecure: false },
    { proxySecretRef: { name: "missing" } },
    { serviceAccountName: "missing" },
    { verify: { provider: "cosign", secretRef: { name: "missing" } } },
    { timeout: "0s" },
    { timeout: "90s" },
    { interval: "0s" },
  ]);
}

function editOf(
  random: Random,
  { artifacts, spec, index }: { artifacts: readonly Artifact[]; spec: Spec; index: number },
): Edit {
  const [first] = artifacts;
  if (random.chance(3))
    return { kind: "push", artifact: { ...artifactOf(random, [], `${index}-c`), tags: first!.tags } };
  const { ignore: _, layerSelector: __, ...rest } = spec;
  return { kind: "spec", spec: { ...rest, ...(random.chance(3) && refOf(random)), ...contentOf(random, artifacts) } };
}

/** The artifact as it is pushed. */
export function contentFor({ layers, config }: Manifest): ArtifactContent {
  return {
    config: { mediaType: config, bytes: Buffer.from("{}") },
    layers: layers.map(({ mediaType, bytes, title }): Content => ({
      mediaType,
      bytes,
      ...(title !== undefined && { annotations: { "org.opencontainers.image.title": title } }),
    })),
  };
}
