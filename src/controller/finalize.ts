import { artifactRepositories } from "../../api/kinds.ts";
import { FIELD_MANAGER, FINALIZER } from "../../api/v1beta1/constants.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import { storeOwner, type RawObject } from "../pipeline/object.ts";
import { parseObject } from "../pipeline/spec.ts";
import type { Deps } from "./ports.ts";

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
  const leaving = { ...owner, object: undefined, previous: raw.status?.published ?? [] };
  const { oci: _, ...companions } = deps.publishers;
  for (const publisher of Object.values(companions))
    await ignoring(["CrdMissing", "NotOwned"], deps, () => publisher.withdraw(leaving, signal));
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
    const { namespace, name, uid = "" } = raw.metadata;
    await deps.publishers.oci.withdraw({ key: { namespace, name }, uid, object, previous }, signal);
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
