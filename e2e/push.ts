import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Descriptor, Digest } from "../src/oci/types.ts";
import type { Registry } from "./registry.ts";

/** OCI image layouts made by the real tools; the path below is the repository's name. */
const layoutsDir = fileURLToPath(new URL("../src/testing/fixtures/oci", import.meta.url));

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const emptyConfig = { mediaType: "application/vnd.oci.empty.v1+json", bytes: Buffer.from("{}") };

export interface Content {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ArtifactContent {
  readonly layers: readonly Content[];
  readonly config?: Content;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
}

export const fluxLayerType = "application/vnd.cncf.flux.content.v1.tar+gzip";

/** What `flux push artifact` makes of a tar.gz. */
export function fluxArtifact(bytes: Uint8Array): ArtifactContent {
  const config = { mediaType: "application/vnd.cncf.flux.config.v1+json", bytes: Buffer.from("{}") };
  return { config, layers: [{ mediaType: fluxLayerType, bytes }] };
}

/** Pushes every fixture layout with its tags. The registry must not ask for credentials. */
export async function pushFixtures(registry: Registry): Promise<readonly string[]> {
  const entries = await readdir(layoutsDir, { recursive: true, withFileTypes: true });
  const repositories = entries
    .filter((entry) => entry.name === "oci-layout")
    .map((entry) => relative(layoutsDir, entry.parentPath).split(sep).join("/"));
  for (const repository of repositories) await pushLayout(registry, join(layoutsDir, repository), repository);
  return repositories.sort();
}

async function pushLayout(registry: Registry, dir: string, repository: string): Promise<void> {
  const read = (digest: string): Promise<Buffer> => readFile(join(dir, "blobs", ...digest.split(":")));
  const index = JSON.parse(await readFile(join(dir, "index.json"), "utf8")) as { manifests: readonly Descriptor[] };
  const pushed = new Set<string>();
  const push = async (descriptor: Descriptor, reference: string): Promise<void> => {
    const bytes = await read(descriptor.digest);
    const {
      manifests = [],
      config,
      layers = [],
    } = JSON.parse(bytes.toString("utf8")) as { manifests?: Descriptor[]; config?: Descriptor; layers?: Descriptor[] };
    for (const child of manifests) if (!pushed.has(child.digest)) await push(child, child.digest);
    for (const blob of config ? [config, ...layers] : layers)
      if (!pushed.has(blob.digest)) await pushBlob(registry, repository, await read(blob.digest));
    for (const done of [...layers, descriptor]) pushed.add(done.digest);
    await pushManifest(registry, repository, { mediaType: descriptor.mediaType, bytes }, reference);
  };
  for (const descriptor of index.manifests)
    await push(descriptor, descriptor.annotations?.["org.opencontainers.image.ref.name"] ?? descriptor.digest);
}

/** Pushes a manifest made of these layers under `tag`, or under its digest alone. */
export async function pushArtifact(
  registry: Registry,
  repository: string,
  tag: string | undefined,
  artifact: ArtifactContent,
): Promise<Descriptor> {
  const config = artifact.config ?? emptyConfig;
  for (const blob of [config, ...artifact.layers]) await pushBlob(registry, repository, blob.bytes);
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    ...(artifact.artifactType !== undefined && { artifactType: artifact.artifactType }),
    config: describe(config),
    layers: artifact.layers.map(describe),
    ...(artifact.annotations && { annotations: artifact.annotations }),
    ...(artifact.subject && { subject: artifact.subject }),
  };
  const content = { mediaType: manifestType, bytes: Buffer.from(JSON.stringify(manifest)) };
  await pushManifest(registry, repository, content, tag ?? digestOf(content.bytes));
  return { ...describe(content), ...(artifact.artifactType !== undefined && { artifactType: artifact.artifactType }) };
}

/** Pushes an index of manifests that are in the repository already. */
export async function pushIndex(
  registry: Registry,
  repository: string,
  tag: string,
  index: { manifests: readonly Descriptor[]; annotations?: Readonly<Record<string, string>> },
): Promise<Descriptor> {
  const content = {
    mediaType: indexType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, ...index })),
  };
  await pushManifest(registry, repository, content, tag);
  return describe(content);
}

function describe(content: Content): Descriptor {
  return {
    mediaType: content.mediaType,
    digest: digestOf(content.bytes),
    size: content.bytes.length,
    ...(content.annotations && { annotations: content.annotations }),
  };
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pushes the manifest under `from` once more as `to`, with the same layers and another digest. */
export async function retag(registry: Registry, repository: string, from: string, to: string): Promise<void> {
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${from}`, {
    headers: { accept: manifestType },
  });
  const manifest = { ...((await response.json()) as object), annotations: { version: to } };
  const bytes = Buffer.from(JSON.stringify(manifest));
  await pushManifest(registry, repository, { mediaType: manifestType, bytes }, to);
}

/** Points tags at a manifest that the repository holds. */
export async function tagManifest(
  registry: Registry,
  repository: string,
  { digest, mediaType }: Descriptor,
  tags: readonly string[],
): Promise<void> {
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${digest}`, {
    headers: { accept: mediaType },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  for (const tag of tags) await pushManifest(registry, repository, { mediaType, bytes }, tag);
}

/** What a tag or digest leads to; undefined: nothing. */
export async function manifestDigest(
  registry: Registry,
  repository: string,
  reference: string,
): Promise<Digest | undefined> {
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    headers: { accept: `${manifestType}, ${indexType}` },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return response.ok ? digestOf(bytes) : undefined;
}

export async function pushBlob(registry: Registry, repository: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const start = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const location = new URL(start.headers.get("location") ?? "", registry.url);
  location.searchParams.set("digest", digest);
  await expectStatus(
    await fetch(location, {
      method: "PUT",
      body: new Blob([Uint8Array.from(bytes)]),
      headers: { "content-type": "application/octet-stream" },
    }),
    201,
  );
  return describe({ mediaType: "application/octet-stream", bytes });
}

async function pushManifest(
  registry: Registry,
  repository: string,
  content: Content,
  reference: string,
): Promise<void> {
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    method: "PUT",
    body: new Blob([Uint8Array.from(content.bytes)]),
    headers: { "content-type": content.mediaType },
  });
  await expectStatus(response, 201);
}

async function expectStatus(response: Response, status: number): Promise<void> {
  const answer = await response.text();
  if (response.status !== status)
    throw new Error(`${response.url} answered ${response.status}: ${answer.slice(0, 500)}`);
}
