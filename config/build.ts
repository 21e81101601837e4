import { rm } from "node:fs/promises";
import { bundleModules, moduleIn, strataInterpreter, threads, writeProgram } from "./programs.ts";

const place = { outdir: "dist", chunks: "chunks" } as const;

await rm(place.outdir, { recursive: true, force: true });
await bundleModules({
  ...place,
  entries: { strata: "src/cli/main.ts", "strata-controller": "src/main.ts", ...threads },
  minify: true,
});
for (const [name, interpreter] of [
  ["strata", strataInterpreter],
  ["strata-controller", "/usr/bin/env -S node --max-semi-space-size=4"],
] as const)
  await writeProgram(`dist/${name}.js`, { name, interpreter, module: moduleIn(place, name) });
