import type { PublishedArtifact } from "./artifact.ts";
import type { ControlPlane } from "./controlplane.ts";
import { condition, isReady, type KubeObject } from "./kube.ts";
import type { Registry } from "./registry.ts";

/** Every test object lives here. */
export const namespace = "default";

export type Spec = Record<string, unknown>;

/** An ArtifactRepository of a repository in the test registry, which is asked only when something asks for it. */
export function artifactRepository(
  name: string,
  from: { readonly registry: Pick<Registry, "host">; readonly path: string },
  spec: Spec = {},
): KubeObject {
  return {
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name, namespace },
    spec: { url: `oci://${from.registry.host}/${from.path}`, insecure: true, interval: "1h", ...spec },
  };
}

export const repositoryRef = (name: string) => ({ kind: "ArtifactRepository", namespace, name }) as const;
export const ociRepositoryRef = (name: string) => ({ kind: "OCIRepository", namespace, name }) as const;
export const configMapRef = (name: string) => ({ kind: "ConfigMap", namespace, name }) as const;
export const externalArtifactRef = (name: string) => ({ kind: "ExternalArtifact", namespace, name }) as const;

/** What the ArtifactRepository's status says once it is ready for its present generation. */
export async function readyRepository({ admin }: ControlPlane, name: string, timeoutMs?: number): Promise<KubeObject> {
  return await admin.waitFor(repositoryRef(name), "ready", isReady, timeoutMs);
}

/** The artifact of the ExternalArtifact of that name. */
export async function publishedArtifact({ admin }: ControlPlane, name: string): Promise<PublishedArtifact> {
  const object = await admin.get(externalArtifactRef(name));
  if (!isReady(object)) throw new Error(`ExternalArtifact ${name} is not ready: ${JSON.stringify(object.status)}`);
  return object.status?.["artifact"] as PublishedArtifact;
}

/** Asks for a reconcile now, as `flux reconcile` does, and waits until it is done. */
export async function reconcileNow({ admin }: ControlPlane, name: string, within = namespace): Promise<KubeObject> {
  const token = `${Date.now()}-${Math.random()}`;
  const ref = { ...repositoryRef(name), namespace: within };
  await admin.patch(ref, { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": token } } });
  return await admin.waitFor(ref, "the request handled", ({ status }) => status?.["lastHandledReconcileAt"] === token);
}

export function isCondition(object: KubeObject, type: string, status: string, reason?: string): boolean {
  const found = condition(object, type);
  return found?.status === status && (reason === undefined || found.reason === reason);
}

/** A Kustomization that applies an ExternalArtifact, and looks by itself only once an hour. */
export function kustomization(name: string, path: string): KubeObject {
  return {
    apiVersion: "kustomize.toolkit.fluxcd.io/v1",
    kind: "Kustomization",
    metadata: { name, namespace },
    spec: {
      interval: "1h",
      retryInterval: "2s",
      sourceRef: { kind: "ExternalArtifact", name },
      path,
      prune: true,
      targetNamespace: namespace,
    },
  };
}

export function configMap(name: string, data: Record<string, string>): string {
  return `${JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data })}\n`;
}
