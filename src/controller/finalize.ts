import { artifactRepositories } from "../../api/kinds.ts";
import { FIELD_MANAGER, FINALIZER } from "../../api/v1beta1/constants.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import { storeOwner, type RawObject } from "../pipeline/object.ts";
import { parseObject } from "../pipeline/spec.ts";
import type { Target } from "../publish/port.ts";
import type { Deps } from "./ports.ts";

/** What is known of an object that is gone, or seems to be. */
export type Departed = Pick<RawObject, "metadata" | "spec" | "status">;

/**
 * The object with our finalizer where something outside the cluster is to be taken back one day, and without it otherwise:
 * what is inside goes with its owner, and a controller that is gone holds nobody up.
 * @throws Kube…
 */
export async function settleFinalizer(raw: RawObject, kube: KubeClient, signal: AbortSignal): Promise<RawObject> {
  const { finalizers = [], resourceVersion, namespace, name } = raw.metadata;
  const isNeeded = publishes(raw, "oci");
  if (finalizers.includes(FINALIZER) === isNeeded) return raw;
  const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
  // The list is replaced as a whole, so it must be the one that was read.
  const patch = { metadata: { finalizers: isNeeded ? [...others, FINALIZER] : others, resourceVersion } };
  const patched = await kube.patch<RawObject>(
    artifactRepositories,
    { namespace, name },
    patch,
    { fieldManager: FIELD_MANAGER },
    signal,
  );
  const { finalizers: left = [], resourceVersion: version } = patched.metadata;
  return {
    ...raw,
    metadata: { ...raw.metadata, finalizers: left, ...(version !== undefined && { resourceVersion: version }) },
  };
}

/** Whether the spec, which may not make sense, says so under `publish`. */
function publishes({ spec }: Pick<Departed, "spec">, target: Target): boolean {
  const { publish } = (spec ?? {}) as { readonly publish?: Readonly<Partial<Record<Target, object | null>>> | null };
  return publish?.[target] !== undefined && publish[target] !== null;
}

/**
 * Takes back everything that was made for a deleted object, then lets it go: published objects, pushed manifests, files.
 * A registry or kind that is gone itself does not hold the object back.
 * @throws Kube…, StorageFailed: it is tried again
 */
export async function finalize(raw: RawObject, deps: Deps, signal: AbortSignal): Promise<void> {
  const { finalizers = [], namespace, name, resourceVersion } = raw.metadata;
  if (!finalizers.includes(FINALIZER)) return;
  await withdrawPushed(raw, deps, signal);
  await takeBack(raw, deps, signal);
  const left = finalizers.filter((finalizer) => finalizer !== FINALIZER);
  await ignoring(["NotFound"], deps, async () => {
    await deps.kube.patch(
      artifactRepositories,
      { namespace, name },
      { metadata: { finalizers: left, resourceVersion } },
      { fieldManager: FIELD_MANAGER },
      signal,
    );
  });
}

/**
 * Removes what is stored and published in the cluster for this very object, and nothing of another of its name.
 * @param raw as it was last, as far as that is known
 * @throws Kube…, StorageFailed
 */
export async function takeBack(raw: Departed, deps: Deps, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = raw.metadata;
  const key = { namespace, name };
  await deps.store.remove(storeOwner({ key }), uid);
  // Only files are known without it.
  if (uid === undefined) return;
  const leaving = { key, uid, object: undefined, previous: raw.status?.published ?? [] };
  const targets: readonly Target[] = hasOciRepository(raw)
    ? ["externalArtifact", "ociRepository"]
    : ["externalArtifact"];
  for (const target of targets)
    await ignoring(["CrdMissing", "NotOwned"], deps, () => deps.publishers[target].withdraw(leaving, signal));
}

function hasOciRepository(raw: Departed): boolean {
  return (
    publishes(raw, "ociRepository") || raw.status?.published?.some(({ kind }) => kind === "OCIRepository") === true
  );
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
