import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, zstdCompressSync } from "node:zlib";
import { build, transform } from "esbuild";
import { bundleOptions } from "../config/bundle.ts";

/** As small as it gets: reading is as fast, and each binary is near the most that it may have. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 19 } };

/** The scripts of the program in one file: what is run, and the parts that it loads by name. */
export interface Scripts {
  readonly main: string;
  readonly assets: Readonly<Record<string, string>>;
}

/**
 * Bundles the command line for a single executable, which runs one script of CommonJS and has no files around it. It is split
 * as the bundle with files is; each part becomes an asset.
 */
export async function bundleProgram(directory: string): Promise<Scripts> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const modules = join(directory, "modules");
  const options = {
    ...bundleOptions(),
    // A script of CommonJS has no address of its own; who asks for it asks only where there are files.
    define: { ...bundleOptions().define, "import.meta.url": "__filename" },
    legalComments: "none",
  } as const;
  await build({
    ...options,
    entryPoints: { strata: "src/cli/main.ts" },
    outdir: modules,
    splitting: true,
    format: "esm",
  });
  const thread = join(directory, "file-writer.js");
  await build({ ...options, entryPoints: ["src/output/file-writer.ts"], outfile: thread, format: "cjs" });
  return {
    main: fileURLToPath(new URL("loader.js", import.meta.url)),
    assets: { ...(await toCommonJs(modules, directory)), "file-writer": thread },
  };
}

async function toCommonJs(from: string, to: string): Promise<Record<string, string>> {
  const assets: Record<string, string> = {};
  for (const name of (await readdir(from)).toSorted()) {
    const { code } = await transform((await readFile(join(from, name), "utf8")).replace(/^#!.*\n/, ""), {
      format: "cjs",
      platform: "node",
      target: "node24",
      minify: true,
      supported: { "dynamic-import": false },
    });
    assets[name] = join(to, name);
    await writeFile(assets[name], zstdCompressSync(code, compression));
  }
  return assets;
}
