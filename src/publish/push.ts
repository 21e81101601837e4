import { Readable } from "node:stream";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { SharedRepository, WritableRepository } from "../oci/content.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import type { Owner, StoredImage } from "../store/store.ts";
import { assertMovable, digestOf, moveAlias } from "./alias-move.ts";

/** An artifact with one layer, and where it goes. */
export interface ImagePush {
  readonly repository: WritableRepository;
  readonly stored: Pick<StoredImage, "image" | "openLayer">;
  /** Repository on the same registry that has the layer, byte for byte. */
  readonly mountFrom?: string;
}

export interface PushRequest extends ImagePush {
  readonly repository: SharedRepository;
  /** For whom; aliases that point at what others have pushed are not moved. */
  readonly owner: Owner;
  /** Tags to point at it, see `renderAliases`. What is pushed has passed verification where the object asks for one. */
  readonly aliases: readonly string[];
  /** Called once the manifest is in the repository that was not there before, whatever fails after that. */
  readonly onUploaded?: () => void;
  /** Called once the manifest is there and before an alias points at it: whoever follows one finds what is attached, too. */
  readonly beforeAliases?: () => Promise<void>;
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
 * @throws NotOwned, before anything is sent, where an alias is somebody else's; PublishFailed with the registry's error as
 * its cause and its code in `details.code`; Aborted
 */
export async function pushArtifact(request: PushRequest, signal: AbortSignal): Promise<PushResult> {
  const { repository, owner, stored, aliases } = request;
  const { descriptor } = stored.image;
  return await toPublishFailed(`pushing ${descriptor.digest} to ${repository.name}`, signal, async () => {
    const seen = new Map<string, Digest | undefined>();
    for (const alias of aliases) {
      const digest = await digestOf(repository, alias, signal);
      if (digest === descriptor.digest) continue;
      await assertMovable({ repository, owner, alias, digest }, signal);
      seen.set(alias, digest);
    }
    const uploaded = await pushImage(request, signal);
    if (uploaded) request.onUploaded?.();
    await request.beforeAliases?.();
    for (const [alias, digest] of seen)
      await moveAlias({ repository, owner, alias, digest, image: stored.image }, signal);
    return { digest: descriptor.digest, uploaded, moved: [...seen.keys()] };
  });
}

/** Pushes the blobs and the manifest by its digest, unless they are there. Returns whether the manifest was new. */
export async function pushImage({ repository, stored, mountFrom }: ImagePush, signal: AbortSignal): Promise<boolean> {
  const { layer, config, configBytes, descriptor, bytes } = stored.image;
  if (await repository.exists(descriptor, signal)) return false;
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
  return true;
}

async function mounted(
  repository: WritableRepository,
  layer: Descriptor,
  from: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  return from !== undefined && (await repository.mount(layer, from, signal));
}

/** What says of itself that publishing has failed, and why. */
const itself = new Set(["Aborted", "NotOwned", "SigningFailed"]);

/** The target's troubles are told apart from those of the source, which has the same codes. */
export async function toPublishFailed<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (itself.has(codeOf(error)) || signal.aborted) throw error;
    const { retryAfterMs } = error instanceof CodedError ? error : {};
    throw new CodedError("PublishFailed", `${what}: ${messageOf(error)}`, {
      cause: error,
      details: { code: codeOf(error) },
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
}
