import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { entryOf } from "./entry.ts";

/** Packages of CommonJS inside the bundle call `require` for Node's own modules. */
const banner =
  'import { createRequire as strataRequire } from "node:module"; const require = strataRequire(import.meta.url);';

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

await rm("dist", { recursive: true, force: true });
// What is loaded only when it is needed, such as a cloud's SDK, stays in files of its own: starting reads none of them.
await build({
  // The thread that writes files stands beside the code that starts it.
  entryPoints: {
    "chunks/strata": "src/cli/main.ts",
    "chunks/strata-controller": "src/main.ts",
    "chunks/file-writer": "src/output/file-writer.ts",
  },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node24",
  banner: { js: banner },
  plugins: [partsOfUndici],
  legalComments: "linked",
  logLevel: "warning",
});
for (const [name, interpreter] of [
  ["strata", "/usr/bin/env node"],
  ["strata-controller", "/usr/bin/env -S node --max-semi-space-size=4"],
] as const) {
  const path = `dist/${name}.js`;
  await writeFile(path, entryOf({ name, interpreter, module: `./chunks/${name}.js` }));
  await chmod(path, 0o755);
}
