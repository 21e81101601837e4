import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import type { Identified, OciPublisher, PushedLayer, Transfer } from "../controller/ports.ts";
import { storeOwner } from "../controller/stored.ts";
import { CodedError } from "../errors.ts";
import { hexOf, isDigest } from "../oci/digest.ts";
import type { WritableRepository } from "../oci/content.ts";
import type { RegistryReference } from "../oci/reference.ts";
import type { Digest } from "../oci/types.ts";
import type { ClusterSources } from "../pipeline/sources.ts";
import { timeoutMs } from "../pipeline/spec.ts";
import { renderAliases } from "../publish/alias.ts";
import { prunePushed, type PruneRequest, type PruneResult } from "../publish/prune.ts";
import { pushArtifact } from "../publish/push.ts";
import { refill } from "../publish/refill.ts";
import { tagOfRevision, type Artifact, type ArtifactStore } from "../store/store.ts";

/** The status has room for 128 rows; two may be an ExternalArtifact and an OCIRepository. It is more than `retain` may ask for. */
const maxRemembered = 126;

type OpenTarget = (
  owner: Identified,
  target: PublishOci,
  signal: AbortSignal,
) => ReturnType<ClusterSources["openTarget"]>;

export function ociPublisher(sources: Pick<ClusterSources, "openTarget">, store: ArtifactStore): OciPublisher {
  const open: OpenTarget = async ({ key: { namespace }, object }, target, signal) =>
    await sources.openTarget(target.url, target, { namespace, timeoutMs: timeoutMs(object.spec) }, signal);
  return {
    push: async (request, signal) => await push({ open, store }, request, signal),
    withdraw: async ({ owner, target, previous }, signal) => {
      const { repository } = await open(owner, target, signal);
      const pushed = pushedDigests(previous, target.url);
      await prunePushed({ repository, owner: storeOwner(owner), pushed, retain: 0, aliases: [] }, signal);
    },
    refill: async ({ owner, target, artifact, previous }, signal) => {
      const [digest] = pushedDigests(previous, target.url);
      if (digest === undefined) return false;
      const { repository } = await open(owner, target, signal);
      await refill({ repository, digest, owner: storeOwner(owner), artifact, store }, signal);
      return true;
    },
  };
}

/** A repository whose blobs are pushed when there is room for it. */
function inTurn(repository: WritableRepository, transfer: Transfer): WritableRepository {
  return {
    ...repository,
    pushBlob: async (descriptor, open, signal) =>
      await transfer(descriptor.size, () => repository.pushBlob(descriptor, open, signal)),
  };
}

async function push(
  { open, store }: { readonly open: OpenTarget; readonly store: ArtifactStore },
  { owner, target, artifact, previous, layer, transfer }: Parameters<OciPublisher["push"]>[0],
  signal: AbortSignal,
): ReturnType<OciPublisher["push"]> {
  const { repository, reference } = await open(owner, target, signal);
  const { namespace, name } = owner.key;
  const stored = await store.image(storeOwner(owner));
  if (stored === undefined)
    throw new CodedError("StorageFailed", `the artifact of ${namespace}/${name} is gone from the storage`);
  const aliases = renderAliases(target.tags ?? [], aliasVariables(artifact, target));
  const mount = mountSource(layer, reference, artifact);
  const { digest } = await pushArtifact(
    { repository: inTurn(repository, transfer), stored, aliases, ...mount },
    signal,
  );
  const pushed = [digest, ...pushedDigests(previous, target.url).filter((known) => known !== digest)];
  const request = { repository, owner: storeOwner(owner), pushed, aliases };
  const { remaining, refused } = await pruned(target, request, signal);
  return {
    rows: rowsOf(target.url, remaining.slice(0, maxRemembered), aliases),
    note: refused && `${target.url} keeps older manifests: ${refused.message}`,
  };
}

/** Where the registry has the layer already. */
function mountSource(
  layer: PushedLayer | undefined,
  { registry }: RegistryReference,
  artifact: Artifact,
): { mountFrom?: string } {
  return layer?.registry === registry && layer.layer.descriptor.digest === artifact.digest
    ? { mountFrom: layer.repository }
    : {};
}

/** Without `retain` nothing is ever deleted. */
async function pruned(
  { retain }: PublishOci,
  request: Omit<PruneRequest, "retain">,
  signal: AbortSignal,
): Promise<Pick<PruneResult, "remaining" | "refused">> {
  return retain === undefined
    ? { remaining: request.pushed, refused: undefined }
    : await prunePushed({ ...request, retain }, signal);
}

/** api.md, "Template variables", as far as they make sense for a whole artifact. */
function aliasVariables(artifact: Artifact, target: PublishOci): Record<string, string | undefined> {
  const annotations = Object.entries(artifact.metadata ?? {}).map(
    ([key, value]) => [`annotation:${key}`, value] as const,
  );
  return {
    tag: tagOfRevision(artifact.revision),
    digest: artifact.digest.replace(":", "-"),
    hex: hexOf(artifact.digest),
    repository: target.url.slice(target.url.lastIndexOf("/") + 1),
    ...Object.fromEntries(annotations),
  };
}

/** Manifests that were pushed to this target, newest first. */
function pushedDigests(previous: readonly PublishedStatus[], url: string): Digest[] {
  return previous.flatMap((row) =>
    row.kind === "OCIArtifact" && row.url === url && row.digest !== undefined && isDigest(row.digest)
      ? [row.digest]
      : [],
  );
}

/** The first row is what was pushed last; the others have no tags. */
function rowsOf(url: string, digests: readonly Digest[], aliases: readonly string[]): PublishedStatus[] {
  return digests.map((digest, at) => ({ kind: "OCIArtifact", url, digest, ...(at === 0 && { tags: [...aliases] }) }));
}
