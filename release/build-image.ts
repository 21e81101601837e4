/**
 * `npm run build:image [-- --base REFERENCE] [--out DIR] [--platform linux/amd64 …]`: the controller's image as an OCI layout in
 * dist/image, without Docker. `strata copy oci-layout://dist/image oci://…` pushes it. The base is an image whose entry point is
 * Node, at a registry (oci://…@sha256:…) or in a layout (oci-layout://…); dist has to be built. The SBOM is in the image and, as a referrer,
 * beside it: with --referrers it is pushed too.
 */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { baseName, defaultBase } from "./image-base.ts";
import { assembleImage } from "./image.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    base: { type: "string", default: defaultBase },
    out: { type: "string", default: "dist/image" },
    platform: { type: "string", multiple: true, default: ["linux/amd64", "linux/arm64"] },
    insecure: { type: "boolean", default: false },
  },
});

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** What the bundles are made of. */
function sbomOfImage(): Buffer {
  const sbom = JSON.parse(
    run("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"]),
  ) as Record<string, unknown> & { metadata: Record<string, unknown> };
  // Both differ each time that it is made.
  delete sbom["serialNumber"];
  delete sbom.metadata["timestamp"];
  return Buffer.from(`${JSON.stringify(sbom)}\n`);
}

/** The bundles, what says that they are ES modules, and the SBOM. */
async function filesOfImage(scratch: string, sbom: Buffer): Promise<Record<string, string>> {
  const chunks = await readdir(join(root, "dist/chunks"));
  const programs = ["strata.js", "strata-controller.js", ...chunks.map((name) => `chunks/${name}`)];
  const files = Object.fromEntries(programs.map((name) => [name, join(root, "dist", name)]));
  const made = { "package.json": '{"type":"module"}\n', "strata.cdx.json": sbom };
  for (const [name, content] of Object.entries(made)) {
    files[name] = join(scratch, name);
    await writeFile(files[name], content);
  }
  return files;
}

const name = baseName(values.base);
const scratch = join(root, "dist/image-base");
await rm(scratch, { recursive: true, force: true });
await mkdir(scratch, { recursive: true });
const layout = join(scratch, "layout");
const copy = ["dist/strata.js", "copy", values.base, `oci-layout://${layout}`, "--output", "json"];
const base = JSON.parse(run(process.execPath, values.insecure ? [...copy, "--insecure"] : copy)) as { digest: string };
const { version, license } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<string, string>;
const sbom = sbomOfImage();
const digest = await assembleImage({
  base: layout,
  out: resolve(root, values.out),
  files: await filesOfImage(scratch, sbom),
  created: Number(run("git", ["log", "-1", "--format=%ct"])),
  platforms: values.platform,
  // As in the first line of the program, which only a shell would read.
  command: ["--max-semi-space-size=4", "/app/strata-controller.js"],
  labels: {
    "org.opencontainers.image.title": "strata-controller",
    "org.opencontainers.image.version": version!,
    "org.opencontainers.image.revision": run("git", ["rev-parse", "HEAD"]).trim(),
    "org.opencontainers.image.licenses": license!,
    "org.opencontainers.image.source": "https://github.com/strata-dev/strata",
    "org.opencontainers.image.base.name": name,
    "org.opencontainers.image.base.digest": base.digest,
  },
  tag: "latest",
  sbom,
});
await rm(scratch, { recursive: true });
process.stdout.write(`${values.out} ${digest}\n`);
