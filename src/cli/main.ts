#!/usr/bin/env node
import { cliDefaults, cliEnvironment } from "../config.ts";
import { keepCompiled } from "./compiled.ts";
import { runCommand } from "./run.ts";
import { stopOnSignals } from "./signals.ts";

const environment = cliEnvironment();
keepCompiled(environment.cacheDir);
const stopping = stopOnSignals(cliDefaults.stopGraceMs);

/** A program in one file has no `await` outside of functions. */
async function main(): Promise<void> {
  const code = await runCommand(process.argv.slice(2), {
    // Opened only by who reads it.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    terminals: process,
    environment,
    signal: stopping.signal,
  });
  // What was stopped may have left something open that would keep the process alive.
  const stopped = stopping.exitCode();
  if (stopped !== undefined) process.exit(stopped);
  process.exitCode = code;
}

// Where nothing is left to wait for and the command has not ended, it has failed.
process.exitCode = 1;
void main();
