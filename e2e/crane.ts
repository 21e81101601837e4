import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findBinary } from "./binaries.ts";

const run = promisify(execFile);

/** Runs crane, which speaks plain HTTP to loopback addresses; what it prints, trimmed. Throws where it fails. */
export async function crane(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await run(await findBinary("crane"), args, {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    maxBuffer: 16 << 20,
    timeout: 30_000,
  });
  return stdout.trim();
}

/** The digest a tag points at; undefined where crane fails, as it does for a tag that is not there. */
export async function digestOfTag(reference: string): Promise<string | undefined> {
  return await crane(["digest", reference]).catch(() => undefined);
}
