#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { controllerConfig, controllerFlags } from "./config.ts";
import { codeOf, messageOf } from "./errors.ts";
import { describeFlags } from "./flags.ts";
import { runController } from "./wiring/controller.ts";

const args = process.argv.slice(2);
if (args.includes("--help") || args.includes("-h")) {
  process.stdout.write(`strata-controller reconciles ArtifactRepositories.\n\n${describeFlags(controllerFlags)}\n`);
  process.exit(0);
}

// On a machine with much memory V8 would let the space for young objects grow to 128 MiB before it collects any; what a
// reconcile leaves behind fits into what starting has needed.
setFlagsFromString("--semi-space-growth-factor=1");

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => stop.abort(new DOMException(`stopped by ${name}`, "AbortError")));
}
let exitCode = 0;
try {
  await runController(controllerConfig(args), stop.signal);
} catch (error) {
  process.stderr.write(`${JSON.stringify({ level: "error", ts: new Date().toISOString(), msg: messageOf(error), code: codeOf(error) })}\n`);
  exitCode = 1;
}
// Nothing that is still open may keep a controller alive that no longer works.
process.exit(exitCode);
