import { artifactRepositories } from "../../api/kinds.ts";
import { FINALIZER } from "../../api/v1beta1/constants.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import { parseObject } from "../pipeline/spec.ts";
import type { Deps, Identified } from "./ports.ts";
import { FIELD_MANAGER, type RawObject } from "./status-writer.ts";
import { storeOwner } from "./stored.ts";

/** The object with our finalizer on it. @throws Kube… */
export async function ensureFinalizer(raw: RawObject, kube: KubeClient, signal: AbortSignal): Promise<RawObject> {
  const { finalizers = [], resourceVersion, namespace, name } = raw.metadata;
  if (finalizers.includes(FINALIZER)) return raw;
  // The list is replaced as a whole, so it must be the one that was read.
  const patch = { metadata: { finalizers: [...finalizers, FINALIZER], resourceVersion } };
  const patched = await kube.patch<RawObject>(
    artifactRepositories,
    { namespace, name },
    patch,
    { fieldManager: FIELD_MANAGER },
    signal,
  );
  return { ...raw, metadata: { ...raw.metadata, finalizers: patched.metadata.finalizers ?? [] } };
}

/**
 * Takes back everything that was made for a deleted object, then lets it go: published objects, pushed manifests, files.
 * A registry or kind that is gone itself does not hold the object back.
 * @throws Kube…, StorageFailed: it is tried again
 */
export async function finalize(raw: RawObject, deps: Deps, signal: AbortSignal): Promise<void> {
  const { finalizers = [], namespace, name, uid = "", resourceVersion } = raw.metadata;
  if (!finalizers.includes(FINALIZER)) return;
  const owner = { key: { namespace, name }, uid };
  await ignoring(["CrdMissing", "NotOwned"], deps, () => deps.publishers.externalArtifact.withdraw(owner, signal));
  await ignoring(["CrdMissing", "NotOwned"], deps, () => deps.publishers.ociRepository.withdraw(owner, signal));
  await withdrawPushed(raw, deps, signal);
  await deps.store.remove(storeOwner(owner));
  const left = finalizers.filter((finalizer) => finalizer !== FINALIZER);
  await ignoring(["NotFound"], deps, async () => {
    await deps.kube.patch(
      artifactRepositories,
      owner.key,
      { metadata: { finalizers: left, resourceVersion } },
      { fieldManager: FIELD_MANAGER },
      signal,
    );
  });
}

/** What was pushed is deleted where the registry allows and can be reached; a dead registry must not keep the object. */
async function withdrawPushed(raw: RawObject, deps: Deps, signal: AbortSignal): Promise<void> {
  const previous = raw.status?.published ?? [];
  if (!previous.some(({ kind }) => kind === "OCIArtifact")) return;
  try {
    const object = parseObject({ ...raw, metadata: { ...raw.metadata, managedFields: undefined } });
    const target = object.spec.publish?.oci;
    const owner: Identified = {
      key: { namespace: raw.metadata.namespace, name: raw.metadata.name },
      uid: raw.metadata.uid ?? "",
      generation: raw.metadata.generation ?? 0,
      object,
    };
    if (target !== undefined) await deps.publishers.oci.withdraw({ owner, target, previous }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    deps.log("error", `what was pushed stays in the registry: ${messageOf(error)}`, {
      code: codeOf(error),
      name: raw.metadata.name,
      namespace: raw.metadata.namespace,
    });
  }
}

async function ignoring(codes: readonly string[], deps: Deps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!codes.includes(codeOf(error))) throw error;
    deps.log("debug", messageOf(error), { code: codeOf(error) });
  }
}
