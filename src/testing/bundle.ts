import { join } from "node:path";
import { build } from "esbuild";

/** Bundles a program, the way the product is bundled, to `outdir`. Returns the file to run. */
export async function bundle(
  program: string,
  outdir: string,
  { splitting }: { readonly splitting: boolean },
): Promise<string> {
  await build({
    stdin: { contents: program, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    splitting,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node24",
    outdir,
    outExtension: { ".js": ".mjs" },
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return join(outdir, "stdin.mjs");
}
