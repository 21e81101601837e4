import { startControlPlane, type ControlPlane } from "./controlplane.ts";
import { installFluxCrds } from "./flux.ts";
import { pushFixtures } from "./push.ts";
import { startRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { installStrata } from "./strata.ts";
import type { Workspace } from "./workspace.ts";

export interface Cluster {
  readonly plane: ControlPlane;
  readonly registry: Registry;
}

/** An API server that knows Strata's and Flux's kinds, and a registry with the fixtures; no controller runs yet. */
export async function startCluster(workspace: Workspace, options: RegistryOptions = {}): Promise<Cluster> {
  const withFixtures = async (): Promise<Registry> => {
    const registry = await startRegistry(workspace, options);
    await pushFixtures(registry);
    return registry;
  };
  const [plane, registry] = await Promise.all([startPlane(workspace), withFixtures()]);
  return { plane, registry };
}

/** The API server alone. */
export async function startPlane(workspace: Workspace): Promise<ControlPlane> {
  const plane = await startControlPlane(workspace);
  await Promise.all([installStrata(plane), installFluxCrds(plane)]);
  return plane;
}

export async function createNamespaces({ admin }: ControlPlane, names: readonly string[]): Promise<void> {
  for (const name of names) await admin.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
}
