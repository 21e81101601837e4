import { UPSTREAM_DIGEST_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus, PublishedStatus } from "../../api/v1beta1/status.ts";
import { codeOf, messageOf } from "../errors.ts";
import { isDigest } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { publishWanted, storeOwner, type Identified } from "../pipeline/object.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import { tagOfRevision, type Artifact, type ArtifactStore } from "../store/store.ts";
import type { TagRule } from "../tags/rule.ts";
import type { ReconcileContext } from "./memory.ts";

/**
 * The artifact of the status where its file is there and whole. Each file is read once in the life of the process; one that
 * is gone, then or later, is brought back from the push target, where there is one.
 * @throws StorageFailed
 */
export async function storedArtifact(
  owner: Identified,
  status: ArtifactRepositoryStatus,
  { memory, deps, transfer, signal }: ReconcileContext,
): Promise<Artifact | undefined> {
  const artifact = artifactOf(status);
  const place = storeOwner(owner);
  if (artifact === undefined) {
    await deps.store.removeOther(place, owner.uid);
    return undefined;
  }
  const current = { ...artifact, url: deps.store.url(artifact.path) };
  if (memory.isIntact(owner.uid, artifact.digest) && (await deps.store.has(place, artifact))) return current;
  const verdict = await deps.store.verify(place, artifact, signal);
  if (verdict !== "ok" && !(await refilled(owner, artifact, status.published ?? [], { deps, transfer, signal }))) {
    deps.log("info", `the stored artifact is ${verdict}; it will be made again`, { digest: artifact.digest });
    return undefined;
  }
  memory.intact(owner.uid, artifact.digest);
  return current;
}

/**
 * Why the artifact has to be built; undefined where it is what the spec and upstream ask for already.
 * @param resolved undefined before it is known: whatever upstream has, is there a reason?
 */
export function reasonToBuild(
  stored: Artifact | undefined,
  status: ArtifactRepositoryStatus,
  resolved: Resolved | undefined,
  checksum: string,
): string | undefined {
  if (status.artifact === undefined) return "nothing is published yet";
  if (stored === undefined) return "the stored file is missing";
  if (resolved !== undefined && stored.metadata?.[UPSTREAM_DIGEST_ANNOTATION] !== resolved.root.digest)
    return `upstream is now ${resolved.root.digest}`;
  if (resolved !== undefined && tagOfRevision(stored.revision) !== resolved.tag)
    return `the tag is now ${resolved.tag ?? "none"}`;
  return status.observedContentConfigChecksum === checksum ? undefined : "the spec selects something else";
}

/** Whether a reference that chooses nothing names another tag than that of the artifact. */
export function namesAnother(rule: TagRule, stored: Artifact | undefined): boolean {
  return rule.kind === "fixed" && stored !== undefined && tagOfRevision(stored.revision) !== rule.tag;
}

/** Whether a status, of the object or of its ExternalArtifact, sends consumers to this storage. */
export function isServedHere(
  status: { readonly artifact?: Pick<Artifact, "path" | "url"> | undefined } | undefined,
  store: Pick<ArtifactStore, "url">,
): boolean {
  const artifact = status?.artifact;
  return artifact !== undefined && artifact.url === store.url(artifact.path);
}

/** What the ExternalArtifact says until it is told of something newer, which may take as long as an outage lasts. */
export function announced({ published = [] }: ArtifactRepositoryStatus): readonly Digest[] {
  return published.flatMap(({ kind, digest }) =>
    kind === "ExternalArtifact" && digest !== undefined && isDigest(digest) ? [digest] : [],
  );
}

async function refilled(
  owner: Identified,
  artifact: Artifact,
  previous: readonly PublishedStatus[],
  { deps, transfer, signal }: Pick<ReconcileContext, "deps" | "transfer" | "signal">,
): Promise<boolean> {
  const target = publishWanted(owner.object.spec).oci;
  if (target === undefined) return false;
  try {
    return await transfer(artifact.size, () => deps.publishers.oci.refill({ owner, artifact, previous }, signal));
  } catch (error) {
    // Upstream is asked instead; a full disk will be met there again.
    if (signal.aborted) throw error;
    deps.log("info", `the stored artifact could not be brought back from ${target.url}: ${messageOf(error)}`, {
      code: codeOf(error),
    });
    return false;
  }
}

/** What a status says of its artifact, where that is enough to find it. */
export function artifactOf({ artifact }: ArtifactRepositoryStatus): Artifact | undefined {
  if (artifact?.size === undefined || !isDigest(artifact.digest)) return undefined;
  const { path, url, revision, digest, size, lastUpdateTime, metadata } = artifact;
  return { path, url, revision, digest, size, lastUpdateTime, ...(metadata && { metadata }) };
}
