import { startControlPlane, type ControlPlane } from "./controlplane.ts";
import { installFluxCrds } from "./flux.ts";
import { pushFixtures } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { installStrata } from "./strata.ts";
import type { Workspace } from "./workspace.ts";

export interface Cluster {
  readonly plane: ControlPlane;
  readonly registry: Registry;
}

/** An API server that knows Strata's and Flux's kinds, and a registry with the fixtures; no controller runs yet. */
export async function startCluster(workspace: Workspace): Promise<Cluster> {
  const [plane, registry] = await Promise.all([startControlPlane(workspace), startRegistry(workspace)]);
  await Promise.all([installStrata(plane), installFluxCrds(plane), pushFixtures(registry)]);
  return { plane, registry };
}
