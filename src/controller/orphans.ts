import { setTimeout as sleep } from "node:timers/promises";
import { KIND } from "../../api/v1beta1/constants.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import type { Caches } from "./caches.ts";
import type { Departed } from "./finalize.ts";
import { ownerOf } from "./dependents.ts";
import type { Deps } from "./ports.ts";
import { isServedHere } from "./stored.ts";

/**
 * Hands over who is stored or published without an object, until that has succeeded once. To be called when a list has.
 * Ends with the signal.
 */
export async function collectOrphans(
  caches: Caches,
  deps: Deps,
  depart: (orphan: Departed) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return (await findOrphans(caches, deps, signal)).forEach(depart);
    } catch (error) {
      if (signal.aborted) return;
      deps.log("error", `the storage was not cleaned up: ${messageOf(error)}`, { code: codeOf(error) });
      await sleep(6 * deps.settings.orphanPauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Who is stored, or published as an ExternalArtifact, without an object in the cache: what was deleted while nobody watched. To
 * be called once a list has succeeded. Where it is more than half of what is stored, the cache is given time to prove it.
 *
 * @throws StorageFailed, Aborted
 */
async function findOrphans(caches: Caches, deps: Deps, signal: AbortSignal): Promise<readonly Departed[]> {
  const owners: readonly (ObjectKey & { readonly kind: string; readonly uid?: string })[] =
    await deps.store.owners(signal);
  const stored = owners.filter(({ kind }) => kind === KIND.toLowerCase());
  const isOrphan = (key: ObjectKey): boolean => caches.watches(key) && caches.objects.get(key) === undefined;
  const found = stored.filter(isOrphan).length;
  if (found * 2 > stored.length) {
    deps.log(
      "info",
      `${found} of ${stored.length} stored artifacts seem to have no object; that is looked at again`,
      {},
    );
    await sleep(deps.settings.orphanPauseMs, undefined, { signal });
  }
  // Objects of other shards have theirs elsewhere; without shards, one that was only just made has no artifact yet.
  const ours = caches.externalArtifacts
    .list()
    .filter((artifact) => !caches.isSelective || isServedHere(artifact.status, deps.store));
  const published = ours.flatMap((artifact) => ownerOf(artifact, KIND) ?? []);
  return [...stored, ...published].filter(isOrphan).map(({ namespace, name, uid }) => ({
    metadata: { namespace, name, ...(uid !== undefined && { uid }) },
  }));
}
