import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { defaultLimits } from "../../config.ts";
import type { WritableRepository } from "../../oci/content.ts";
import { sha256Of } from "../../oci/digest.ts";
import { ociEmptyType, ociManifestType } from "../../oci/media-types.ts";
import type { Annotations, Descriptor } from "../../oci/types.ts";
import { openLayout } from "../../registry/layout.ts";

export interface TestLayer {
  readonly mediaType: string;
  readonly bytes: Uint8Array | string;
  readonly annotations?: Annotations;
}

/** An artifact in an image layout on disk, to which tests attach signatures. */
export class SignedArtifact {
  readonly repository: WritableRepository;
  readonly root: Descriptor;
  readonly #signal = new AbortController().signal;
  readonly #temporary: string | undefined;

  private constructor(repository: WritableRepository, root: Descriptor, temporary?: string) {
    this.repository = repository;
    this.root = root;
    this.#temporary = temporary;
  }

  /** Only what is `temporary` is removed. */
  async remove(): Promise<void> {
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
  }

  /** @param dir an empty directory */
  static async create(dir: string): Promise<SignedArtifact> {
    const repository = openLayout(dir, defaultLimits);
    // Each has another digest, so that no test sees another's cached result.
    const bytes = manifestBytes({ layers: [], annotations: { test: randomBytes(8).toString("hex") } });
    const root = descriptorOf(ociManifestType, bytes);
    const artifact = new SignedArtifact(repository, root);
    await artifact.#push({ mediaType: ociEmptyType, bytes: "{}" });
    await repository.pushManifest(root, bytes, "1.0.0", artifact.#signal);
    return artifact;
  }

  /** One in a directory of its own, until `remove`. */
  static async temporary(): Promise<SignedArtifact> {
    const dir = await mkdtemp(join(tmpdir(), "strata-signed-"));
    const { repository, root } = await SignedArtifact.create(dir);
    return new SignedArtifact(repository, root, dir);
  }

  /** What stands under a tag in a layout, to which more is attached. */
  static async open(dir: string, tag: string): Promise<SignedArtifact> {
    const repository = openLayout(dir, defaultLimits);
    return new SignedArtifact(repository, await repository.resolve(tag, new AbortController().signal));
  }

  /** A manifest with `layers` under a tag, as cosign's older signatures. */
  async tag(tag: string, layers: readonly TestLayer[]): Promise<void> {
    await this.#attach(tag, { layers });
  }

  /** A manifest that refers to the artifact. @param subject default: the root */
  async refer(artifactType: string, layers: readonly TestLayer[], subject: Descriptor = this.root): Promise<void> {
    await this.#attach(undefined, { artifactType, subject, layers });
  }

  async #attach(
    tag: string | undefined,
    {
      layers,
      ...rest
    }: { readonly layers: readonly TestLayer[]; readonly artifactType?: string; readonly subject?: Descriptor },
  ): Promise<void> {
    const bytes = manifestBytes({
      ...rest,
      layers: await Promise.all(layers.map(async (layer) => await this.#push(layer))),
    });
    const descriptor = descriptorOf(ociManifestType, bytes);
    await this.repository.pushManifest(descriptor, bytes, tag ?? descriptor.digest, this.#signal);
  }

  async #push({ mediaType, bytes, annotations }: TestLayer): Promise<Descriptor> {
    const content = Buffer.from(bytes);
    const descriptor = { ...descriptorOf(mediaType, content), ...(annotations && { annotations }) };
    await this.repository.pushBlob(descriptor, () => Readable.from([content]), this.#signal);
    return descriptor;
  }
}

function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: sha256Of(bytes), size: bytes.length };
}

function manifestBytes(fields: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifestType,
      config: descriptorOf(ociEmptyType, Buffer.from("{}")),
      ...fields,
    }),
  );
}
