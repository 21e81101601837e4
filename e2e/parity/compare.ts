import { isDeepStrictEqual } from "node:util";
import type { DifferenceId } from "../../src/cli/migrate/differences.ts";
import { allowedAlways, causeOf, type Situation } from "./allowed.ts";
import type { Case } from "./case.ts";
import type { Difference, Facet } from "./difference.ts";
import type { Observation } from "./observe.ts";
import { nameOf, type Both, type Outcome } from "./run-cases.ts";

type Events = Both<ReadonlyMap<string, ReadonlySet<string>>>;

/** Everything that differs, step by step, each with the row of docs/migration.md that allows it. */
export function differencesOf({ subject, steps, refused }: Outcome, events: Events): Difference[] {
  if (refused !== undefined) {
    if ((refused.flux === undefined) === (refused.strata === undefined)) return [];
    return [{ subject, step: "create", facet: "admission", values: refused, row: undefined, seen: undefined }];
  }
  const { found, rows } = explained(subject, steps);
  const values = { flux: told(events.flux, subject), strata: told(events.strata, subject) };
  if (isDeepStrictEqual(values.flux, values.strata)) return found;
  const all = { subject, step: "all steps", facet: "events", values, row: undefined, seen: steps[0]?.both } as const;
  return [...found, { ...all, row: allowedAlways(all) ?? rows[0] }];
}

/** The rows are the causes that were met. */
function explained(subject: Case, steps: Outcome["steps"]): { found: Difference[]; rows: DifferenceId[] } {
  const found: Difference[] = [];
  const rows: DifferenceId[] = [];
  let last: DifferenceId | undefined;
  for (const { name, both } of steps) {
    const differing = stepDifferences(subject, name, both);
    if (differing.every(({ row }) => row !== undefined)) last = undefined;
    else last = causeOf({ ...both, ...stateAt(subject, name) }) ?? (keepsArtifact(name, both) ? last : undefined);
    for (const one of differing) found.push({ ...one, row: one.row ?? last });
    if (last !== undefined) rows.push(last);
  }
  return { found, rows };
}

/** What explains the artifact of one step explains it until there is another one. */
function keepsArtifact(step: string, { flux, strata }: Both<Observation>): boolean {
  return step === "suspend" || flux.ready !== "True" || strata.ready !== "True";
}

/** What upstream had and the spec said at a step. */
function stateAt({ artifacts, spec, edit }: Case, step: string): Pick<Situation, "artifacts" | "selector"> {
  const isEdited = step !== "create";
  const now = isEdited && edit.kind === "spec" ? edit.spec : spec;
  return {
    artifacts: isEdited && edit.kind === "push" ? [edit.artifact, ...artifacts.slice(1)] : artifacts,
    selector: (now["layerSelector"] ?? {}) as Situation["selector"],
  };
}

function stepDifferences(subject: Case, step: string, seen: Both<Observation>): Difference[] {
  const facets: Readonly<Record<Exclude<Facet, "admission" | "events">, (side: Observation) => unknown>> = {
    ready: ({ ready }) => ready,
    reason: ({ reason }) => reason,
    conditions: ({ conditions }) => conditions,
    files: ({ files }) => files,
    handled: ({ handledAt }) => handledAt,
  };
  return Object.entries(facets).flatMap(([facet, of]) => {
    const values = { flux: of(seen.flux), strata: of(seen.strata) };
    if (isDeepStrictEqual(values.flux, values.strata)) return [];
    const difference = { subject, step, facet: facet as Facet, values, row: undefined, seen };
    return [{ ...difference, row: allowedAlways(difference) }];
  });
}

function told(events: ReadonlyMap<string, ReadonlySet<string>>, subject: Case): string[] {
  return [...(events.get(nameOf(subject)) ?? [])].sort();
}
