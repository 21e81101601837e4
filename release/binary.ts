/**
 * `npm run build:binary [-- --platform linux-x64]`: dist/bin/strata-OS-ARCH, each one file that needs no Node beside it. All of
 * them are made on Linux for x64; Node for the other platforms comes from npm, into .cache/node.
 */
import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bases, fetchBase, type Base } from "./bases.ts";
import { bundleProgram, type Scripts } from "./bundle.ts";
import { checkBinary } from "./check.ts";
import { signAdHoc } from "./macho-signature.ts";

const root = join(import.meta.dirname, "..");
const cache = join(root, ".cache/node");
const scratch = join(root, "dist/binary");

/** The most that a binary may have, in bytes. */
const maxBytes = 120_000_000;
/** Debugging symbols are a sixth of Node. What removes them from files of other platforms is LLVM's. */
function strip({ format, platform }: Base, path: string): void {
  if (format === "PE") return;
  const own = `${process.platform}-${process.arch}` === platform;
  for (const program of own ? ["llvm-strip", "strip"] : ["llvm-strip"]) {
    try {
      execFileSync(program, [path], { stdio: ["ignore", "ignore", "inherit"] });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  process.stderr.write(`${platform}: there is no ${own ? "strip" : "llvm-strip"} here; its symbols stay in\n`);
}

/** Node of the same version puts the scripts into Node for any platform. */
async function build(base: Base, { main, assets }: Scripts): Promise<void> {
  const name = `strata-${base.platform}${base.format === "PE" ? ".exe" : ""}`;
  const [executable, output, config] = [join(scratch, "node"), join(scratch, name), join(scratch, "sea.json")];
  await copyFile(await fetchBase(base, cache), executable);
  await chmod(executable, 0o755);
  strip(base, executable);
  await writeFile(config, JSON.stringify({ main, assets, executable, output, disableExperimentalSEAWarning: true }));
  execFileSync(builder, ["--build-sea", config], { stdio: ["ignore", "ignore", "inherit"] });
  if (base.format === "Mach-O") await writeFile(output, signAdHoc(await readFile(output), "strata"));
  await checkBinary(base, await readFile(output), assets);
  await chmod(output, 0o755);
  await rename(output, join(root, "dist/bin", name));
  const { size } = await stat(join(root, "dist/bin", name));
  process.stdout.write(`dist/bin/${name}  ${(size / 1e6).toFixed(1)} MB\n`);
  if (size > maxBytes) throw new Error(`${name} has ${size} bytes, and at most ${maxBytes} are allowed`);
}

const { values } = parseArgs({ options: { platform: { type: "string", multiple: true } } });
const wanted = bases.filter(({ platform }) => values.platform?.includes(platform) ?? true);
const unknown = values.platform?.find((name) => !bases.some(({ platform }) => platform === name));
if (unknown !== undefined)
  throw new Error(`--platform is "${unknown}"; write one of ${bases.map(({ platform }) => platform).join(", ")}`);
const scripts = await bundleProgram(join(scratch, "scripts"));
await mkdir(join(root, "dist/bin"), { recursive: true });
const builder = await fetchBase(bases[0]!, cache);
await chmod(builder, 0o755);
for (const base of wanted) await build(base, scripts);
