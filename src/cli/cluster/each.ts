import type { CommandIO } from "../command.ts";
import { type OutputFormat, printAnswer, printError } from "../output.ts";
import { type ClusterObject, fullName } from "./session.ts";

/** What came of one object of a command that takes several. */
export interface Outcome {
  /** Undefined where nothing is to be printed of it. */
  readonly object: ClusterObject | undefined;
  readonly ok: boolean;
  /** For people. */
  readonly text: string;
}

/**
 * Does the work for all names at the same time: what fails for one keeps no other back, and is printed beside the rest.
 * @returns the exit code
 * @throws what the work throws where there is one name alone
 */
export async function forEachName(
  names: readonly [string, ...string[]],
  format: OutputFormat,
  io: CommandIO,
  work: (name: string) => Promise<Outcome>,
): Promise<number> {
  if (names.length === 1) {
    const outcome = await work(names[0]);
    printOutcomes([outcome], format, io, outcome.object);
    return outcome.ok ? 0 : 1;
  }
  const results = await Promise.allSettled(names.map(work));
  const outcomes = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const items = outcomes.flatMap(({ object }) => (object === undefined ? [] : [object]));
  printOutcomes(outcomes, format, io, { apiVersion: "v1", kind: "List", items });
  for (const failure of failures) printError(io, failure);
  return failures.length === 0 && outcomes.every(({ ok }) => ok) ? 0 : 1;
}

function printOutcomes(outcomes: readonly Outcome[], format: OutputFormat, io: CommandIO, data: unknown): void {
  printAnswer(io, format, {
    text: () => outcomes.map(({ text }) => text).join(""),
    data,
    names: outcomes.flatMap(({ object }) => (object === undefined ? [] : [fullName(object)])),
  });
}
