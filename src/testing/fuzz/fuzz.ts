import { check, type Checker } from "./check.ts";
import { makeCase, type FuzzCase } from "./make-case.ts";

/** A case that goes wrong, as small as it gets. */
export interface Failure {
  readonly seed: number;
  readonly problem: string;
  readonly container: string;
  readonly bytes: Buffer;
}

/** The case of one seed; undefined where all is well. */
export async function fuzzOne(seed: number, checker: Checker): Promise<Failure | undefined> {
  const made = makeCase(seed);
  const problem = await problemOf(made, made.parts, checker);
  if (problem === undefined) return undefined;
  const parts = await smallest(made, checker);
  return {
    seed,
    problem: (await problemOf(made, parts, checker)) ?? problem,
    container: made.container,
    bytes: made.wrap(parts),
  };
}

async function problemOf(made: FuzzCase, parts: readonly Buffer[], checker: Checker): Promise<string | undefined> {
  return await check(made.container, made.wrap(parts), checker);
}

/** Leaves parts out as long as anything is still wrong. */
async function smallest(made: FuzzCase, checker: Checker): Promise<readonly Buffer[]> {
  let parts = made.parts;
  for (let at = 0; at < parts.length;) {
    const fewer = parts.toSpliced(at, 1);
    if (fewer.length > 0 && (await problemOf(made, fewer, checker)) !== undefined) parts = fewer;
    else at += 1;
  }
  return parts;
}
