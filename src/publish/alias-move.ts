import { CodedError, codeOf } from "../errors.ts";
import type { Resolver, SharedRepository } from "../oci/content.ts";
import type { Digest } from "../oci/types.ts";
import { ownerMark } from "../store/image-manifest.ts";
import type { Owner, SingleLayerImage } from "../store/store.ts";
import { ownerOfPushed } from "./pushed-manifest.ts";

/** A tag, and what it was seen to point at; undefined: nothing. */
export interface Alias {
  readonly repository: SharedRepository;
  readonly owner: Owner;
  readonly alias: string;
  readonly digest: Digest | undefined;
}

/** Somebody else may be moving the same tag. */
const attempts = 3;

/** What a tag points at; undefined where there is no such tag. */
export async function digestOf(repository: Resolver, tag: string, signal: AbortSignal): Promise<Digest | undefined> {
  try {
    return (await repository.resolve(tag, signal)).digest;
  } catch (error) {
    if (codeOf(error) === "NotFound") return undefined;
    throw error;
  }
}

/** @throws NotOwned where the alias points at what another has pushed, or nobody who says so */
export async function assertMovable({ repository, owner, alias, digest }: Alias, signal: AbortSignal): Promise<void> {
  if (digest === undefined) return;
  const mark = await ownerOfPushed(repository, digest, signal);
  // What is gone is nobody's.
  if (mark === undefined || mark === ownerMark(owner)) return;
  // Somebody else's text, shown only where it looks like a mark.
  const whose = /^[a-z]+\/[a-z0-9.-]+\/[a-z0-9.-]+$/.test(mark)
    ? `that ${mark.slice(0, 300)} has pushed`
    : "that no ArtifactRepository has pushed";
  throw new CodedError(
    "NotOwned",
    `publish.oci.tags: ${repository.name}:${alias} points at ${digest}, a manifest ${whose}; it is left alone. Write another tag or repository, or delete that tag`,
    { details: { tag: alias, digest } },
  );
}

/**
 * Points the alias at the image, where it still points at what this object may replace.
 * @throws NotOwned; RegistryResponseInvalid where it does not keep still
 */
export async function moveAlias(
  alias: Alias & { readonly image: Pick<SingleLayerImage, "descriptor" | "bytes"> },
  signal: AbortSignal,
): Promise<void> {
  const { repository, image } = alias;
  let from = alias.digest;
  for (let tried = 1; tried <= attempts; tried++) {
    if (await repository.moveTag({ tag: alias.alias, from, ...image }, signal)) return;
    from = await digestOf(repository, alias.alias, signal);
    if (from === image.descriptor.digest) return;
    await assertMovable({ ...alias, digest: from }, signal);
  }
  throw new CodedError(
    "RegistryResponseInvalid",
    `${repository.name}:${alias.alias} was moved by somebody else ${attempts} times while it was set`,
  );
}
