import { controllerConfig } from "../config.ts";
import { controllerFlags } from "../controller-flags.ts";
import { codeOf, messageOf } from "../errors.ts";
import { describeFlags } from "../flags.ts";
import { runController } from "./controller.ts";

/**
 * `strata-controller` with these arguments, until a signal ends it. Returns its exit code; nothing that is still open may keep
 * the process alive then.
 * @param started is called where the work begins
 */
export async function runProgram(args: readonly string[], started: () => void): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`strata-controller reconciles ArtifactRepositories.\n\n${describeFlags(controllerFlags)}\n`);
    return 0;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => stop.abort(new DOMException(`stopped by ${name}`, "AbortError")));
  }
  try {
    await runController(controllerConfig(args), started, stop.signal);
    return 0;
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ level: "error", ts: new Date().toISOString(), msg: messageOf(error), code: codeOf(error) })}\n`,
    );
    return 1;
  }
}
