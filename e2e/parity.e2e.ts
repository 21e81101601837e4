import { expect, it } from "vitest";
import { report } from "./parity/report.ts";
import { runParity } from "./parity/session.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const seed = 15;
const cases = 80;

/** Many more are run by hand: `npm run parity -- --cases N --seed S`. */
it(`${cases} random objects are to Strata what they are to source-controller`, { timeout: 600_000 }, async () => {
  const numbers = Array.from({ length: cases }, (_, at) => at);
  const parity = await runParity(workspace, seed, numbers);
  const { text, unexplained } = report(parity, seed);
  process.stdout.write(text);
  expect(parity.cases).toBe(cases);
  expect(unexplained, text).toBe(0);
});
