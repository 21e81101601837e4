/**
 * `npm run build:plugins`: an archive of each binary in dist/bin, and the manifests by which `flux plugin install strata` and
 * `kubectl krew install strata` find them, with their checksums: dist/plugins.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "tar";
import { fluxManifest, krewManifest, platformOf, type Archive } from "./plugin-manifests.ts";

const root = join(import.meta.dirname, "..");
const bin = join(root, "dist/bin");
const out = join(root, "dist/plugins");

/** The same binary gives the same archive. The program in it is called as the one that starts it wants. */
async function archive(file: string, version: string): Promise<Archive> {
  const platform = platformOf(file);
  const directory = join(out, `${platform.os}-${platform.arch}`);
  await mkdir(directory);
  // Before any archive is made: both hold it.
  await copyFile(join(root, "LICENSE"), join(directory, "LICENSE"));
  const programs = ["flux-strata", "kubectl-strata"].map((name) => (platform.os === "windows" ? `${name}.exe` : name));
  const archives = await Promise.all(
    programs.map(async (program) => {
      await copyFile(join(bin, file), join(directory, program));
      const name = `${program.replace(/\.exe$/, "")}_${version}_${platform.os}_${platform.arch}.tar.gz`;
      const path = join(out, name);
      await create({ file: path, cwd: directory, gzip: true, portable: true, mtime: new Date(0) }, [
        program,
        "LICENSE",
      ]);
      return {
        name,
        program,
        sha256: createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
      };
    }),
  );
  await rm(directory, { recursive: true });
  return { ...platform, flux: archives[0]!, krew: archives[1]! };
}

const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const archives: Archive[] = [];
for (const file of (await readdir(bin)).toSorted()) archives.push(await archive(file, version));
await writeFile(join(out, "flux-plugin.yaml"), fluxManifest(version, archives));
await writeFile(join(out, "krew-plugin.yaml"), krewManifest(version, archives));
