import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { it } from "vitest";
import { findOptional } from "./binaries.ts";
import type { Workspace } from "./workspace.ts";

/** Other people's clients of registries, as they are. */
export const clientNames = ["flux", "helm", "oras", "cosign", "regctl", "crane"] as const;
export type ClientName = (typeof clientNames)[number];

const programs = new Map<string, string | undefined>();
for (const name of clientNames) programs.set(name, await findOptional(name));

const exec = promisify(execFile);

/** A test that is skipped, visibly, where the machine lacks the program. */
export const itHas = (name: ClientName) => it.skipIf(programs.get(name) === undefined);

/** Runs clients in `cwd`, without the configuration of whoever runs the tests; what they print. Throws where one fails. */
export function clientsIn(
  workspace: Workspace,
  cwd: string,
): (name: ClientName, ...args: readonly string[]) => Promise<string> {
  return async (name, ...args) => {
    const { stdout } = await exec(programs.get(name) ?? name, args, {
      cwd,
      env: { PATH: process.env["PATH"], HOME: workspace.dir, COSIGN_PASSWORD: "e2e" },
      maxBuffer: 16 << 20,
      timeout: 50_000,
    });
    return stdout.trim();
  };
}
