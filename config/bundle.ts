import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { BuildOptions, Plugin, PluginBuild } from "esbuild";

/** Our own code gets the few parts of undici that it uses, HTTP/2 when a server speaks it; a package that wants the whole of it gets that (ADR 18). */
const partsOfUndici: Plugin = {
  name: "parts-of-undici",
  setup: (bundle) => {
    bundle.onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.includes("/node_modules/") ? undefined : { path: fileURLToPath(new URL("undici.js", import.meta.url)) },
    );
    replaceIn(bundle, /\/undici\/lib\/dispatcher\/client\.js$/, {
      text: "const connectH2 = require('./client-h2.js')",
      by: "const connectH2 = (...args) => require('./client-h2.js')(...args)",
    });
    // The parser of HTTP heads is compiled once and at once: to optimise it takes a thread 50 ms, longer than it parses. V8 looks at its
    // flags where it compiles; they are put back, since what is compiled by other flags is not kept from process to process.
    replaceIn(bundle, /\/undici\/lib\/dispatcher\/client-h1\.js$/, {
      text: "mod = new WebAssembly.Module(require('../llhttp/llhttp_simd-wasm.js'))",
      by: `const { setFlagsFromString } = require('node:v8')
      for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering', '--no-wasm-lazy-compilation']) setFlagsFromString(flag)
      mod = new WebAssembly.Module(require('../llhttp/llhttp_simd-wasm.js'))
      for (const flag of ['--wasm-tier-up', '--wasm-dynamic-tiering', '--wasm-lazy-compilation']) setFlagsFromString(flag)`,
    });
  },
};

/** A version of the package in which the text is another one fails the build. */
function replaceIn(
  bundle: PluginBuild,
  filter: RegExp,
  { text, by }: { readonly text: string; readonly by: string },
): void {
  bundle.onLoad({ filter }, async ({ path }) => {
    const source = await readFile(path, "utf8");
    if (!source.includes(text)) throw new Error(`${path} has changed: there is no line ${text}`);
    return { contents: source.replace(text, by), loader: "js" };
  });
}

/** What every bundle has in common. */
export function bundleOptions(): BuildOptions {
  return {
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    // With the second name undici leaves out the parser that it tries out, as for Node itself.
    define: { STRATA_COMMIT: JSON.stringify(commit()), esbuildDetection: "true" },
    plugins: [partsOfUndici],
    logLevel: "warning",
  };
}

/** Of the checkout, 12 digits; empty where there is no repository around it, as in an image that is being built. */
function commit(): string {
  try {
    const args = ["-C", fileURLToPath(new URL("..", import.meta.url)), "rev-parse", "--short=12", "HEAD"];
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}
