import { rm } from "node:fs/promises";
import { build } from "esbuild";

/** Packages of CommonJS inside the bundle call `require` for Node's own modules. */
const banner = 'import { createRequire as strataRequire } from "node:module"; const require = strataRequire(import.meta.url);';

await rm("dist", { recursive: true, force: true });
// What is loaded only when it is needed, such as a cloud's SDK, stays in files of its own: starting reads none of them.
await build({
  entryPoints: { strata: "src/cli/main.ts", "strata-controller": "src/main.ts" },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node24",
  banner: { js: banner },
  legalComments: "linked",
  logLevel: "warning",
});
