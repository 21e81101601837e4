#!/usr/bin/env -S node --max-semi-space-size=4
import { setFlagsFromString } from "node:v8";

// What starts a program runs once. V8's optimising compilers, 6 MiB of its file, are not in memory until they are first used.
setFlagsFromString("--no-opt");
setFlagsFromString("--no-maglev");
// While starting, the space for young objects stays as small as it is; at work it grows as far as the program's first line allows.
setFlagsFromString("--semi-space-growth-factor=1");
// How much larger, in percent, the heap may get until it is collected: otherwise it would double.
setFlagsFromString("--heap-growing-percent=60");
// Only now, so that it is loaded with these flags.
const { runProgram } = await import("./wiring/program.ts");
const started = (): void => {
  for (const flag of ["--opt", "--maglev", "--semi-space-growth-factor=2"]) setFlagsFromString(flag);
};
process.exit(await runProgram(process.argv.slice(2), started));
