import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findBinary } from "./binaries.ts";
import type { ControlPlane } from "./controlplane.ts";

const run = promisify(execFile);

/** What kubectl prints as the administrator. @throws where it exits with another code than 0 */
export async function kubectl(plane: ControlPlane, args: readonly string[]): Promise<string> {
  const { stdout } = await run(await findBinary("kubectl"), args, {
    env: { PATH: process.env["PATH"], HOME: process.env["TMPDIR"] ?? "/tmp", KUBECONFIG: plane.kubeconfig },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}
