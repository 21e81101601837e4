import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Workspace } from "../workspace.ts";
import { report } from "./report.ts";
import { runParity } from "./session.ts";

const help = `npm run parity -- [--cases N] [--seed S] [--case I] [--minutes M]
Gives random artifacts and OCIRepository specs to source-controller and, with another kind, to Strata, and compares what both
make of them. It needs the bundles (npm run build) and the servers of npm run e2e. The same seed makes the same cases.
`;

/** Exits with 1 where something differs that no row of docs/migration.md has. */
async function run(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { cases: text, seed: text, case: text, minutes: text, help: { type: "boolean" } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  const cases = Number(values.cases ?? 100);
  if (values.help === true || !Number.isSafeInteger(seed) || !(cases > 0)) {
    process.stdout.write(help);
    return values.help === true ? 0 : 2;
  }
  const numbers = values.case === undefined ? Array.from({ length: cases }, (_, at) => at) : [Number(values.case)];
  process.stdout.write(`seed ${seed}, ${numbers.length} cases\n`);
  const { workspace, close } = await openDirectory();
  try {
    const { text: said, unexplained } = report(
      await runParity(workspace, seed, numbers, Number(values.minutes ?? Infinity)),
      seed,
    );
    process.stdout.write(said);
    return unexplained > 0 ? 1 : 0;
  } finally {
    await close();
  }
}

async function openDirectory(): Promise<{ workspace: Workspace; close: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), "strata-parity-"));
  const logs = join(dir, "logs");
  await mkdir(logs);
  const stops: (() => Promise<unknown>)[] = [];
  const workspace: Workspace = {
    dir,
    logs,
    directory: async (name) => {
      await mkdir(join(dir, name), { recursive: true });
      return join(dir, name);
    },
    onEnd: (stop) => void stops.push(stop),
  };
  const close = async (): Promise<void> => {
    for (const stop of stops.toReversed()) await stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { workspace, close };
}

process.exitCode = await run();
