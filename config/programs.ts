import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.ts";
import { entryOf, type Program } from "./entry.ts";

/** Packages of CommonJS inside the bundle call `require` for Node's own modules. */
const banner =
  'import { createRequire as strataRequire } from "node:module"; const require = strataRequire(import.meta.url);';

export interface Bundle {
  readonly outdir: string;
  /** Below `outdir`: everything but the files that people start. */
  readonly chunks: string;
  /** The module of each entry. */
  readonly entries: Readonly<Record<string, string>>;
  /** False for what people read in their debuggers. */
  readonly minify: boolean;
}

/** What is loaded only when it is needed, such as a cloud's SDK, stays in files of its own: starting reads none of them. */
export async function bundleModules({ outdir, chunks, entries, minify }: Bundle): Promise<void> {
  await build({
    ...bundleOptions(),
    minify,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, module]) => [`${chunks}/${name}`, module])),
    outdir,
    chunkNames: `${chunks}/[name]-[hash]`,
    splitting: true,
    format: "esm",
    banner: { js: banner },
    legalComments: "linked",
  });
}

/** Writes the file that is started. @param path below `outdir` */
export async function writeProgram(path: string, program: Program): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const module = relative(dirname(path), program.module);
  await writeFile(path, entryOf({ ...program, module: module.startsWith(".") ? module : `./${module}` }));
  await chmod(path, 0o755);
}

/** The threads of a program stand beside the code that starts them. */
export const threads = { "file-writer": "src/output/file-writer.ts" } as const;

/** The first line of `strata`, after `#!`. */
export const strataInterpreter = "/usr/bin/env node";

/** @returns the absolute path of a module in `chunks` */
export function moduleIn({ outdir, chunks }: Pick<Bundle, "outdir" | "chunks">, name: string): string {
  return join(outdir, chunks, `${name}.js`);
}
