import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { archiveOf } from "./image-layer.ts";
import { copyBlob, json, readJson, sha256, writeBlob, type Descriptor } from "./image-layout.ts";

interface Manifest {
  readonly mediaType?: string;
  readonly manifests?: readonly Descriptor[];
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** What of an image's configuration is read or changed; the rest of the base's stays. */
interface Config {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly config?: {
    readonly Entrypoint?: readonly string[];
    readonly Env?: readonly string[];
    readonly Labels?: object;
  };
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history?: readonly object[];
}

export interface ImageRequest {
  /** OCI layouts: what the image stands on, its one root in index.json, and where it is written. */
  readonly base: string;
  readonly out: string;
  /** What comes into /app: paths below it, and where they are now. */
  readonly files: Readonly<Record<string, string>>;
  /** Seconds since 1970; every time in the image. */
  readonly created: number;
  readonly platforms: readonly string[];
  /** Node's flags and the program, below /app. */
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly tag: string;
  /** What the program is made of, which refers to the image. */
  readonly sbom: Buffer;
}

/** Of a CycloneDX document in JSON, as IANA has it. */
const sbomType = "application/vnd.cyclonedx+json";

const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

/** Whom the controller runs as, in every manifest that installs it. */
const user = "65532:65532";

/**
 * Puts one layer onto the base for every platform. The same request gives the same bytes.
 * @returns the digest of the index
 * @throws Error where the base lacks a platform, or does not say where its Node is
 */
export async function assembleImage(request: ImageRequest): Promise<string> {
  await rm(request.out, { recursive: true, force: true });
  const tar = await archiveOf(request.files, request.created);
  const layer = await writeBlob(request.out, types.layer, gzipSync(tar, { level: 9 }));
  const manifests: Descriptor[] = [];
  for (const base of await imagesOf(request)) manifests.push(await addLayer(request, base, layer, sha256(tar)));
  const index = { schemaVersion: 2, mediaType: types.index, manifests, annotations: request.labels };
  const root = await writeBlob(request.out, types.index, json(index));
  const entry = { ...root, annotations: { "org.opencontainers.image.ref.name": request.tag } };
  await writeFile(
    join(request.out, "index.json"),
    json({ schemaVersion: 2, mediaType: types.index, manifests: [entry, await writeSbom(request, root)] }),
  );
  await writeFile(join(request.out, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return root.digest;
}

/** The manifest that makes the SBOM a referrer of the image (image-spec, "Guidelines for Artifact Usage"). */
async function writeSbom({ out, sbom, created }: ImageRequest, subject: Descriptor): Promise<Descriptor> {
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    artifactType: sbomType,
    config: await writeBlob(out, types.empty, json({})),
    layers: [await writeBlob(out, sbomType, sbom)],
    subject,
    annotations: { "org.opencontainers.image.created": timeOf(created) },
  };
  return { ...(await writeBlob(out, types.manifest, json(manifest))), artifactType: sbomType };
}

const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

/** The base's manifest for each platform, in the order that was asked for. */
async function imagesOf({ base, platforms }: ImageRequest): Promise<{ manifest: Manifest; config: Config }[]> {
  const { manifests: roots } = JSON.parse(await readFile(join(base, "index.json"), "utf8")) as {
    manifests: readonly Descriptor[];
  };
  const digests = [...new Set(roots.map(({ digest }) => digest))];
  if (digests.length !== 1) throw new Error(`${base} holds ${digests.length} images; a base is a layout with one`);
  const root = await readJson<Manifest>(base, digests[0]!);
  const images = await Promise.all(
    (root.manifests ?? roots).map(async ({ digest }) => {
      const manifest = await readJson<Manifest>(base, digest);
      return { manifest, config: await readJson<Config>(base, manifest.config.digest) };
    }),
  );
  return platforms.map((platform) => {
    const found = images.find(({ config }) => `${config.os}/${config.architecture}` === platform);
    if (found !== undefined) return found;
    const has = images.map(({ config }) => `${config.os}/${config.architecture}`).join(", ");
    throw new Error(`the base is for ${has}, and not for ${platform}`);
  });
}

async function addLayer(
  request: ImageRequest,
  { manifest, config: base }: { readonly manifest: Manifest; readonly config: Config },
  layer: Descriptor,
  diffId: string,
): Promise<Descriptor> {
  const created = timeOf(request.created);
  const node = base.config?.Entrypoint?.[0];
  if (node === undefined)
    throw new Error("the base has no entry point; it has to be its Node, such as /nodejs/bin/node");
  const config = {
    ...base,
    created,
    config: {
      ...base.config,
      User: user,
      WorkingDir: "/app",
      Env: [...(base.config?.Env ?? []), "NODE_ENV=production"],
      Entrypoint: [node, ...request.command],
      Cmd: undefined,
      Labels: { ...base.config?.Labels, ...request.labels },
    },
    rootfs: { type: "layers", diff_ids: [...base.rootfs.diff_ids, diffId] },
    history: [...(base.history ?? []), { created, created_by: "strata" }],
  };
  for (const { digest } of manifest.layers) await copyBlob(request.base, request.out, digest);
  const about = await writeBlob(request.out, types.config, json(config));
  const layers = [...manifest.layers, layer];
  const made = { schemaVersion: 2, mediaType: types.manifest, config: about, layers, annotations: request.labels };
  const variant = base.variant === undefined ? {} : { variant: base.variant };
  const platform = { os: base.os, architecture: base.architecture, ...variant };
  return { ...(await writeBlob(request.out, types.manifest, json(made))), platform };
}
