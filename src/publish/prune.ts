import { CodedError, codeOf, type ErrorCode } from "../errors.ts";
import type { WritableRepository } from "../oci/content.ts";
import type { Digest } from "../oci/types.ts";
import { ownerMark } from "../store/image-manifest.ts";
import { digestOf } from "./alias-move.ts";
import { detachOwn } from "./detach.ts";
import { isMarkedAs, isMarkedFor } from "./marks.ts";
import { toPublishFailed } from "./push.ts";
import type { Owner } from "../store/store.ts";
import { ownerOfPushed } from "./pushed-manifest.ts";

export interface PruneRequest {
  readonly repository: WritableRepository;
  readonly owner: Owner;
  /** The object's uid: what is attached to a manifest that stays is told apart by it. */
  readonly uid?: string;
  /** Manifests pushed for the owner, newest first, as its status remembers them. */
  readonly pushed: readonly Digest[];
  /** Those of them that were there before: whoever has made them decides how long they stay. */
  readonly preexisting: ReadonlySet<Digest>;
  /** How many of them stay; 0 when the owner is deleted. */
  readonly retain: number;
  /** Tags whose manifests stay as well. */
  readonly aliases: readonly string[];
}

export interface PruneResult {
  /** What is to be remembered from now on, newest first. */
  readonly remaining: readonly Digest[];
  readonly deleted: readonly Digest[];
  /** Why nothing more was deleted: the registry does not allow it. Worth saying once, not worth an error. */
  readonly refused: CodedError | undefined;
}

const refusals = new Set<ErrorCode>(["RegistryUnsupported", "Unauthorized", "Forbidden"]);

/** Whether a registry says that it does not delete. */
export function isRefusal(error: unknown): error is CodedError {
  return error instanceof CodedError && refusals.has(error.code);
}

/**
 * Deletes pushed manifests beyond the number to retain, by digest. Only what carries the owner's annotation is ever deleted, and
 * nothing that was there before or that one of the aliases points at. What is gone already, or is not the owner's, is forgotten.
 *
 * @throws PublishFailed, Aborted
 */
export async function prunePushed(request: PruneRequest, signal: AbortSignal): Promise<PruneResult> {
  const { repository, pushed, retain } = request;
  const unique = [...new Set(pushed)];
  const remaining = unique.slice(0, retain);
  const candidates = unique.slice(retain);
  if (candidates.length === 0) return { remaining, deleted: [], refused: undefined };
  return await toPublishFailed(`deleting old manifests from ${repository.name}`, signal, async () => {
    const inUse = await aliased(request, signal);
    const deleted: Digest[] = [];
    for (const [at, digest] of candidates.entries()) {
      if (inUse.has(digest)) {
        remaining.push(digest);
        continue;
      }
      const refused = await deleteOwn(request, digest, signal);
      if (refused instanceof CodedError)
        return { remaining: [...remaining, ...candidates.slice(at)], deleted, refused };
      if (refused === "deleted") deleted.push(digest);
    }
    return { remaining, deleted, refused: undefined };
  });
}

async function aliased({ repository, aliases }: PruneRequest, signal: AbortSignal): Promise<Set<Digest>> {
  const inUse = new Set<Digest>();
  for (const alias of aliases) {
    const digest = await digestOf(repository, alias, signal);
    if (digest !== undefined) inUse.add(digest);
  }
  return inUse;
}

async function deleteOwn(
  { repository, owner, uid, preexisting }: PruneRequest,
  digest: Digest,
  signal: AbortSignal,
): Promise<"deleted" | "gone" | CodedError> {
  try {
    if (preexisting.has(digest)) {
      await detachOwn(repository, digest, (annotations) => isMarkedFor(owner, uid, annotations), signal);
      return "gone";
    }
    if ((await ownerOfPushed(repository, digest, signal)) !== ownerMark(owner)) return "gone";
    await detachOwn(repository, digest, (annotations) => isMarkedAs(owner, annotations), signal);
    await repository.deleteManifest(digest, signal);
    return "deleted";
  } catch (error) {
    if (codeOf(error) === "NotFound") return "gone";
    if (isRefusal(error)) return error;
    throw error;
  }
}
