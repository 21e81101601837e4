import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import type { Identified, OciPublisher } from "../controller/ports.ts";
import { timeoutMs } from "../controller/spec.ts";
import { storeOwner } from "../controller/stored.ts";
import { CodedError } from "../errors.ts";
import { hexOf, isDigest } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { renderAliases } from "../publish/alias.ts";
import { pushArtifact } from "../publish/oci.ts";
import { prunePushed } from "../publish/prune.ts";
import { tagOf, type Artifact, type ArtifactStore } from "../publish/publisher.ts";
import { refill } from "../publish/refill.ts";
import type { ClusterSources } from "./sources.ts";

/** The status has room for sixteen rows; two may be an ExternalArtifact and an OCIRepository. */
const maxRemembered = 14;

export function ociPublisher(sources: ClusterSources, store: ArtifactStore): OciPublisher {
  const open = async (owner: Identified, target: PublishOci, signal: AbortSignal) =>
    await sources.openTarget(target.url, target, { namespace: owner.key.namespace, timeoutMs: timeoutMs(owner.object.spec) }, signal);
  return {
    push: async ({ owner, target, artifact, previous, layer }, signal) => {
      const { repository, reference } = await open(owner, target, signal);
      const stored = await store.image(storeOwner(owner));
      if (stored === undefined) throw new CodedError("StorageFailed", `the artifact of ${owner.key.namespace}/${owner.key.name} is gone from the storage`);
      const aliases = renderAliases(target.tags ?? [], aliasVariables(artifact, target));
      const mountFrom = layer?.registry === reference.registry && layer.layer.descriptor.digest === artifact.digest ? layer.repository : undefined;
      const { digest } = await pushArtifact({ repository, stored, aliases, ...(mountFrom !== undefined && { mountFrom }) }, signal);
      const pushed = [digest, ...pushedDigests(previous, target.url).filter((known) => known !== digest)];
      const pruned = target.retain === undefined ? undefined : await prunePushed({ repository, owner: storeOwner(owner), pushed, retain: target.retain, aliases }, signal);
      const remaining = (pruned?.remaining ?? pushed).slice(0, maxRemembered);
      return { rows: rowsOf(target.url, remaining, aliases), note: pruned?.refused && `${target.url} keeps older manifests: ${pruned.refused.message}` };
    },
    withdraw: async ({ owner, target, previous }, signal) => {
      const { repository } = await open(owner, target, signal);
      await prunePushed({ repository, owner: storeOwner(owner), pushed: pushedDigests(previous, target.url), retain: 0, aliases: [] }, signal);
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

/** api.md, "Template variables", as far as they make sense for a whole artifact. */
function aliasVariables(artifact: Artifact, target: PublishOci): Record<string, string | undefined> {
  const annotations = Object.entries(artifact.metadata ?? {}).map(([key, value]) => [`annotation:${key}`, value] as const);
  return {
    tag: tagOf(artifact.revision),
    digest: artifact.digest.replace(":", "-"),
    hex: hexOf(artifact.digest),
    repository: target.url.slice(target.url.lastIndexOf("/") + 1),
    ...Object.fromEntries(annotations),
  };
}

/** Manifests that were pushed to this target, newest first. */
function pushedDigests(previous: readonly PublishedStatus[], url: string): Digest[] {
  return previous.flatMap((row) => (row.kind === "OCIArtifact" && row.url === url && row.digest !== undefined && isDigest(row.digest) ? [row.digest] : []));
}

/** The first row is what was pushed last; the others have no tags. */
function rowsOf(url: string, digests: readonly Digest[], aliases: readonly string[]): PublishedStatus[] {
  return digests.map((digest, at) => ({ kind: "OCIArtifact", url, digest, ...(at === 0 && { tags: [...aliases] }) }));
}

