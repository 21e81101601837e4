import { startControlPlane } from "../controlplane.ts";
import { installFluxCrds, startSourceController } from "../flux.ts";
import { startRegistry } from "../registry.ts";
import { installStrata, startStrata } from "../strata.ts";
import type { Workspace } from "../workspace.ts";
import { randomCase } from "./case.ts";
import type { Difference } from "./difference.ts";
import { differencesOf } from "./compare.ts";
import { eventsOf } from "./observe.ts";
import { namespace, runCases } from "./run-cases.ts";

export interface Parity {
  readonly cases: number;
  readonly steps: number;
  readonly differences: readonly Difference[];
}

/** Runs the cases of these numbers on one control plane with both controllers. */
export async function runParity(
  workspace: Workspace,
  seed: number,
  numbers: readonly number[],
  minutes = Infinity,
): Promise<Parity> {
  const [plane, registry] = await Promise.all([startControlPlane(workspace), startRegistry(workspace)]);
  await Promise.all([installStrata(plane), installFluxCrds(plane)]);
  await Promise.all([startSourceController(workspace, plane), startStrata(workspace, plane)]);
  const outcomes = await runCases(
    numbers.map((number) => randomCase(seed, number)),
    { plane, registry },
    performance.now() + 60_000 * minutes,
  );
  const events = {
    flux: await eventsOf(plane, "OCIRepository", namespace),
    strata: await eventsOf(plane, "ArtifactRepository", namespace),
  };
  return {
    cases: outcomes.length,
    steps: outcomes.reduce((sum, { steps }) => sum + steps.length, 0),
    differences: outcomes.flatMap((outcome) => differencesOf(outcome, events)),
  };
}
