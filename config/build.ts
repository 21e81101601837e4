import { chmod, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.ts";
import { entryOf } from "./entry.ts";

/** Packages of CommonJS inside the bundle call `require` for Node's own modules. */
const banner =
  'import { createRequire as strataRequire } from "node:module"; const require = strataRequire(import.meta.url);';

await rm("dist", { recursive: true, force: true });
// What is loaded only when it is needed, such as a cloud's SDK, stays in files of its own: starting reads none of them.
await build({
  ...bundleOptions(),
  // The thread that writes files stands beside the code that starts it.
  entryPoints: {
    "chunks/strata": "src/cli/main.ts",
    "chunks/strata-controller": "src/main.ts",
    "chunks/file-writer": "src/output/file-writer.ts",
  },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  splitting: true,
  format: "esm",
  banner: { js: banner },
  legalComments: "linked",
});
for (const [name, interpreter] of [
  ["strata", "/usr/bin/env node"],
  ["strata-controller", "/usr/bin/env -S node --max-semi-space-size=4"],
] as const) {
  const path = `dist/${name}.js`;
  await writeFile(path, entryOf({ name, interpreter, module: `./chunks/${name}.js` }));
  await chmod(path, 0o755);
}
