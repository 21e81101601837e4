/**
 * `npm run build:package [-- --name NAME] [--out DIR]`: the npm package, as the folder dist/package and as the file that
 * `npm pack` makes of it, beside it: `strata` for `npx`, and the modules `strata/oci` and `strata/registry` with their types.
 * publint judges it.
 */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundleModules, moduleIn, strataInterpreter, threads, writeProgram } from "../config/programs.ts";
import { copyDeclarations } from "./declarations.ts";
import { type OwnManifest, packageManifest, places } from "./package-manifest.ts";

const root = join(import.meta.dirname, "..");
const own = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as OwnManifest & { readonly name: string };
const { values } = parseArgs({
  options: { name: { type: "string", default: own.name }, out: { type: "string", default: "dist/package" } },
});
const out = resolve(root, values.out);
const scratch = join(root, "dist/package-types");

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const cli = { outdir: out, chunks: "cli" } as const;
await bundleModules({ ...cli, entries: { strata: "src/cli/main.ts", ...threads }, minify: true });
const program = { name: "strata", interpreter: strataInterpreter, module: moduleIn(cli, "strata") };
await writeProgram(join(out, places.program), program);
const entries = { oci: "src/library/oci.ts", registry: "src/library/registry.ts" };
await bundleModules({ outdir: out, chunks: places.modules, entries, minify: false });
run("node_modules/.bin/tsc", ["-p", "config/library.tsconfig.json"]);
const declared = ["library/oci.d.ts", "library/registry.d.ts"];
await copyDeclarations(join(scratch, "src"), join(out, places.types), declared);
await rm(scratch, { recursive: true });
for (const name of ["LICENSE", "README.md"]) await copyFile(join(root, name), join(out, name));
await writeFile(join(out, "package.json"), `${JSON.stringify(packageManifest(values.name, own), undefined, 2)}\n`);
process.stdout.write(run("node_modules/.bin/publint", ["run", out, "--strict"]));
const [packed] = JSON.parse(run("npm", ["pack", out, "--json", "--pack-destination", join(out, "..")])) as {
  readonly filename: string;
  readonly entryCount: number;
  readonly size: number;
}[];
const file = `${out}.tgz`;
await rename(join(out, "..", packed!.filename), file);
process.stdout.write(`${file}  ${packed!.entryCount} files, ${(packed!.size / 1e6).toFixed(1)} MB\n`);
