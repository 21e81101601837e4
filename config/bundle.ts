import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { BuildOptions, Plugin } from "esbuild";

/** Our own code gets the few parts of undici that it uses, HTTP/2 when a server speaks it; a package that wants the whole of it gets that (ADR 18). */
const partsOfUndici: Plugin = {
  name: "parts-of-undici",
  setup: (bundle) => {
    bundle.onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.includes("/node_modules/") ? undefined : { path: fileURLToPath(new URL("undici.js", import.meta.url)) },
    );
    bundle.onLoad({ filter: /\/undici\/lib\/dispatcher\/client\.js$/ }, async ({ path }) => {
      const eager = "const connectH2 = require('./client-h2.js')";
      const source = await readFile(path, "utf8");
      if (!source.includes(eager)) throw new Error(`${path} has changed: there is no line ${eager}`);
      return {
        contents: source.replace(eager, "const connectH2 = (...args) => require('./client-h2.js')(...args)"),
        loader: "js",
      };
    });
  },
};

/** What every bundle has in common. */
export function bundleOptions(): BuildOptions {
  return {
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    define: { STRATA_COMMIT: JSON.stringify(commit()) },
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
