import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printLogs } from "../e2e/logs.ts";
import type { Workspace } from "../e2e/workspace.ts";

/** The workspace of the end-to-end harness, without the hooks of its test runner. */
export interface BenchWorkspace extends Workspace {
  /** Stops every server; with `failed` it shows the ends of their logs and keeps the files. */
  close(failed: boolean): Promise<void>;
}

export async function openBenchWorkspace(): Promise<BenchWorkspace> {
  const dir = await mkdtemp(join(tmpdir(), "strata-bench-"));
  const logs = join(dir, "logs");
  await mkdir(logs);
  const stops: (() => Promise<unknown>)[] = [];
  return {
    dir,
    logs,
    directory: async (name) => {
      const path = join(dir, name);
      await mkdir(path, { recursive: true });
      return path;
    },
    onEnd: (stop) => void stops.push(stop),
    close: async (failed) => {
      if (failed) await printLogs(logs);
      for (const stop of stops.splice(0).toReversed()) await stop();
      if (failed) process.stderr.write(`bench: the servers' files are kept in ${dir}\n`);
      else await rm(dir, { recursive: true, force: true });
    },
  };
}
