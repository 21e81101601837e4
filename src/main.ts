#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";

// On a machine with much memory V8 would let the space for young objects grow to 128 MiB before it collects any.
setFlagsFromString("--semi-space-growth-factor=1");
// The only WebAssembly is undici's parser of HTTP heads: optimising it would cost 8 MiB for nothing that can be measured.
setFlagsFromString("--no-wasm-dynamic-tiering");
setFlagsFromString("--no-wasm-tier-up");
// Only now, so that it starts with these flags.
const { runProgram } = await import("./wiring/program.ts");
process.exit(await runProgram(process.argv.slice(2)));
