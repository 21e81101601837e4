import { build } from "esbuild";
import { expect, it } from "vitest";
import { bundleOptions } from "../../config/bundle.ts";

it("loads no package before it is known what is asked for", { timeout: 60_000 }, async () => {
  const entryPoints = { strata: "src/cli/main.ts" };
  const options = {
    entryPoints,
    outdir: "dist",
    splitting: true,
    format: "esm",
    metafile: true,
    write: false,
  } as const;
  const { outputs } = (await build({ ...bundleOptions(), ...options, minify: false })).metafile;
  const wanted = Object.keys(outputs).filter((path) => path.endsWith("/strata.js"));
  const loaded = new Set<string>();
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (loaded.has(path)) continue;
    loaded.add(path);
    for (const { kind, external, path: next } of outputs[path]!.imports)
      if (kind === "import-statement" && external !== true) wanted.push(next);
  }
  const inputs = [...loaded].flatMap((path) => Object.keys(outputs[path]!.inputs));
  expect(inputs).toContain("src/cli/commands.ts");
  expect(inputs.filter((input) => input.includes("node_modules/"))).toEqual([]);
});
