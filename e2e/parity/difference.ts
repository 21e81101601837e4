import type { DifferenceId } from "../../src/cli/migrate/differences.ts";
import type { Case } from "./case.ts";
import type { Observation } from "./observe.ts";
import type { Both } from "./run-cases.ts";

/** What is compared. */
export type Facet = "ready" | "reason" | "conditions" | "files" | "handled" | "admission" | "events";

/** One thing that both controllers do not have alike. */
export interface Difference {
  readonly subject: Case;
  readonly step: string;
  readonly facet: Facet;
  readonly values: Both<unknown>;
  /** The row of docs/migration.md that it belongs to. */
  readonly row: DifferenceId | undefined;
  /** What both were at that step. */
  readonly seen: Both<Observation> | undefined;
}
