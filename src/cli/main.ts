#!/usr/bin/env node
import { cliEnvironment } from "../config.ts";
import { runCommand } from "./run.ts";

const abort = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => abort.abort(new DOMException(`stopped by ${name}`, "AbortError")));
}
// A closed pipe (`strata tree … | head`) is the reader's decision, not a failure.
process.stdout.on("error", () => abort.abort(new DOMException("the output was closed", "AbortError")));

process.exitCode = await runCommand(process.argv.slice(2), {
  // Opened only by who reads it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  terminal: process.stderr.isTTY,
  environment: cliEnvironment(),
  signal: abort.signal,
});
