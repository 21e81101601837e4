import { Readable } from "node:stream";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { WritableRepository } from "../oci/content.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { StoredImage } from "../store/store.ts";

export interface PushRequest {
  readonly repository: WritableRepository;
  /** What to push. It has passed verification where the object asks for one: aliases are moved onto it. */
  readonly stored: Pick<StoredImage, "image" | "openLayer">;
  /** Tags to point at it, see `renderAliases`. */
  readonly aliases: readonly string[];
  /** Repository on the same registry that has the layer, byte for byte. */
  readonly mountFrom?: string;
}

export interface PushResult {
  readonly digest: Digest;
  /** Whether the manifest was new to the repository. */
  readonly uploaded: boolean;
  /** Those of the aliases that pointed elsewhere before, or nowhere. */
  readonly moved: readonly string[];
}

/**
 * Pushes a single-layer artifact: blobs, then the manifest by digest, then the aliases. What is there already is not sent
 * again: for equal content only HEAD requests are made, and PUTs of the aliases that move. No tags are listed.
 *
 * @throws PublishFailed with the registry's error as its cause and its code in `details.code`; Aborted
 */
export async function pushArtifact(request: PushRequest, signal: AbortSignal): Promise<PushResult> {
  const { repository, stored, aliases } = request;
  const { descriptor } = stored.image;
  return await toPublishFailed(`pushing ${descriptor.digest} to ${repository.name}`, signal, async () => {
    const uploaded = !(await repository.exists(descriptor, signal));
    if (uploaded) await upload(request, signal);
    const moved: string[] = [];
    for (const alias of aliases) {
      if ((await digestOf(repository, alias, signal)) === descriptor.digest) continue;
      await repository.pushManifest(descriptor, stored.image.bytes, alias, signal);
      moved.push(alias);
    }
    return { digest: descriptor.digest, uploaded, moved };
  });
}

async function upload({ repository, stored, mountFrom }: PushRequest, signal: AbortSignal): Promise<void> {
  const { layer, config, configBytes, descriptor, bytes } = stored.image;
  if (!(await repository.exists(layer, signal)) && !(await mounted(repository, layer, mountFrom, signal))) {
    await repository.pushBlob(layer, stored.openLayer, signal);
  }
  if (!(await repository.exists(config, signal))) {
    await repository.pushBlob(
      config,
      (offset) => Readable.from([configBytes.subarray(offset)], { objectMode: false }),
      signal,
    );
  }
  await repository.pushManifest(descriptor, bytes, descriptor.digest, signal);
}

async function mounted(
  repository: WritableRepository,
  layer: Descriptor,
  from: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  return from !== undefined && (await repository.mount(layer, from, signal));
}

/** What a tag points at; undefined where there is no such tag. */
export async function digestOf(
  repository: WritableRepository,
  tag: string,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  try {
    return (await repository.resolve(tag, signal)).digest;
  } catch (error) {
    if (codeOf(error) === "NotFound") return undefined;
    throw error;
  }
}

/** The target's troubles are told apart from those of the source, which has the same codes. */
export async function toPublishFailed<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === "Aborted" || signal.aborted) throw error;
    const { retryAfterMs } = error instanceof CodedError ? error : {};
    throw new CodedError("PublishFailed", `${what}: ${messageOf(error)}`, {
      cause: error,
      details: { code: codeOf(error) },
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
}
