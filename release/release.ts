/**
 * `npm run release -- [--version V] [--out DIR] [--push oci://REGISTRY/PREFIX] [--insecure] [--helm PROGRAM]`: everything that a release
 * consists of. DIR/files is what people download, DIR/notes.md what the release says, DIR/SHA256SUMS names every file.
 * With `--push`, image (its SBOM as a referrer) and chart go to PREFIX/strata-controller and PREFIX/charts/strata, and
 * DIR/pushed.txt names them by digest, one a line, to be signed. `--npm-name` is what the npm package is called, `--base` what the
 * image stands on; `--platform linux-x64 …` makes the binaries, and the image, for these alone.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installManifest } from "../config/build-install.ts";
import { compose } from "../config/compose.ts";
import { baseName, defaultBase } from "./image-base.ts";
import { notesOf } from "./release-notes.ts";

const root = join(import.meta.dirname, "..");

interface Release {
  readonly version: string;
  readonly out: string;
  readonly files: string;
  /** Such as `ghcr.io/strata-dev`; undefined where nothing is pushed. */
  readonly target: string | undefined;
  readonly insecure: boolean;
  /** The program, by name or path. */
  readonly helm: string;
  readonly npmName: string | undefined;
  readonly base: string | undefined;
  /** As the binaries are called; undefined: all. */
  readonly platforms: readonly string[] | undefined;
}

/** Runs a program to its end and gives its standard output; the rest is shown. @throws Error naming the command */
function run(program: string, args: readonly string[]): string {
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw new Error(`${program} cannot be run: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed with exit code ${status}\n${stdout}`);
  return stdout;
}

async function pushed(release: Release, repository: string, digest: string): Promise<void> {
  await appendFile(join(release.out, "pushed.txt"), `${repository}@${digest}\n`);
}

/** @returns the image by digest where it was pushed, else by tag */
async function publishImage(release: Release): Promise<string> {
  if (release.target === undefined) return `ghcr.io/strata-dev/strata-controller:v${release.version}`;
  const repository = `${release.target}/strata-controller`;
  const copy = ["dist/strata.js", "copy", "oci-layout://dist/image", `oci://${repository}:v${release.version}`];
  const flags = ["--referrers", "--output", "json", ...(release.insecure ? ["--insecure"] : [])];
  const answer = run(process.execPath, [...copy, ...flags]);
  const { digest } = JSON.parse(answer) as { digest: string };
  await pushed(release, repository, digest);
  return `${repository}:v${release.version}@${digest}`;
}

async function packChart(release: Release): Promise<void> {
  const version = ["--version", release.version, "--app-version", `v${release.version}`];
  run(release.helm, ["package", "charts/strata", ...version, "--destination", release.out]);
  const chart = join(release.files, `strata-chart-${release.version}.tgz`);
  await rename(join(release.out, `strata-${release.version}.tgz`), chart);
  if (release.target === undefined) return;
  const plain = release.insecure ? ["--plain-http"] : [];
  const answer = run(release.helm, ["push", chart, `oci://${release.target}/charts`, ...plain]);
  const digest = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(answer)?.[1];
  if (digest === undefined) throw new Error(`helm push named no digest:\n${answer}`);
  await pushed(release, `${release.target}/charts/strata`, digest);
}

async function writeManifests(release: Release, image: string): Promise<void> {
  await writeFile(join(release.files, "install.yaml"), installManifest(image));
  await writeFile(join(release.files, "crds.yaml"), compose(join(root, "crds")));
}

async function writeChecksums(release: Release): Promise<void> {
  const lines: string[] = [];
  for (const name of (await readdir(release.files)).sort()) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(join(release.files, name))) hash.update(chunk as Buffer);
    lines.push(`${hash.digest("hex")}  ${name}\n`);
  }
  await writeFile(join(release.out, "SHA256SUMS"), lines.join(""));
}

function build(script: string, args: readonly string[] = []): void {
  run("npm", ["run", "--silent", script, "--", ...args]);
}

/** Each binary, its archives and manifests for the plugin managers, the image's layout and the npm package: dist. */
function buildAll({ npmName, base, platforms }: Release): void {
  build("build");
  build("build:binary", flags("--platform", platforms));
  build("build:plugins");
  const images = platforms?.filter((platform) => platform.startsWith("linux-"));
  const inGo = images?.map((platform) => platform.replace("linux-", "linux/").replace("x64", "amd64"));
  build("build:image", [...flags("--base", base === undefined ? [] : [base]), ...flags("--platform", inGo)]);
  build("build:package", flags("--name", npmName === undefined ? [] : [npmName]));
}

const flags = (name: string, values: readonly string[] = []): string[] => values.flatMap((value) => [name, value]);

async function makeRelease(release: Release): Promise<void> {
  await rm(release.out, { recursive: true, force: true });
  buildAll(release);
  await mkdir(release.files, { recursive: true });
  for (const made of ["dist/bin", "dist/plugins"])
    for (const name of await readdir(join(root, made)))
      await copyFile(join(root, made, name), join(release.files, name));
  await copyFile(join(root, "dist/package.tgz"), join(release.files, `strata-npm-${release.version}.tgz`));
  await writeManifests(release, await publishImage(release));
  await packChart(release);
  const bom = run("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"]);
  await writeFile(join(release.files, "strata.cdx.json"), bom);
  const changes = await readFile(join(root, "CHANGELOG.md"), "utf8");
  await writeFile(join(release.out, "notes.md"), notesOf(changes, release.version));
  await writeChecksums(release);
}

const { values } = parseArgs({
  options: {
    version: { type: "string" },
    out: { type: "string", default: "dist/release" },
    push: { type: "string" },
    insecure: { type: "boolean", default: false },
    helm: { type: "string", default: "helm" },
    "npm-name": { type: "string" },
    base: { type: "string" },
    platform: { type: "string", multiple: true },
  },
});
const { version: own } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
if (values.version !== undefined && values.version !== own) {
  throw new Error(`The tag says ${values.version} and package.json ${own}: change one of them.`);
}
if (values.push !== undefined && !values.push.startsWith("oci://")) {
  throw new Error(`--push ${values.push} is not a registry: write oci://HOST/PREFIX.`);
}
baseName(values.base ?? defaultBase);
const out = resolve(root, values.out);
const target = values.push?.slice("oci://".length);
const { insecure, helm, "npm-name": npmName, base, platform: platforms } = values;
const files = join(out, "files");
await makeRelease({ version: own, out, files, target, insecure, helm, npmName, base, platforms });
process.stdout.write(await readFile(join(out, "SHA256SUMS"), "utf8"));
