import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";
import type { RunnerTask } from "vitest";
import { printLogs } from "./logs.ts";

/** The scratch directory of one suite, with the logs of its servers. */
export interface Workspace {
  readonly dir: string;
  readonly logs: string;
  /** A new, empty directory. */
  directory(name: string): Promise<string>;
  /** Called in reverse order when the suite ends, whatever happened. */
  onEnd(stop: () => Promise<unknown>): void;
}

/**
 * Call it at the top of a suite. After a failed test the ends of all logs are printed; the directory is removed unless
 * a test failed.
 */
export async function openWorkspace(): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), "strata-e2e-"));
  const logs = join(dir, "logs");
  await mkdir(logs);
  const stops: (() => Promise<unknown>)[] = [];
  let failed = false;
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    failed = true;
    await printLogs(logs);
  });
  // oxlint-disable-next-line no-empty-pattern -- vitest wants a pattern here and hands the suite over as the second argument
  afterAll(async ({}, suite) => {
    // A hook that failed has no test whose end would have printed this.
    if (!failed && hasFailed(suite)) {
      failed = true;
      await printLogs(logs);
    }
    for (const stop of stops.toReversed()) await stop();
    if (failed) process.stderr.write(`e2e: the servers' files are kept in ${dir}\n`);
    else await rm(dir, { recursive: true, force: true });
  });
  return {
    dir,
    logs,
    directory: async (name) => {
      const path = join(dir, name);
      await mkdir(path, { recursive: true });
      return path;
    },
    onEnd: (stop) => void stops.push(stop),
  };
}

function hasFailed(task: RunnerTask): boolean {
  return task.result?.state === "fail" || ("tasks" in task && task.tasks.some(hasFailed));
}
