import { execFile } from "node:child_process";
import { access, constants, mkdir, rename } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildBinary, type BinaryName } from "./build.ts";

/** Unpacked and built servers are kept here between runs; git ignores it. */
const cacheDir = fileURLToPath(new URL("../.cache/e2e", import.meta.url));

const run = promisify(execFile);

/** The path of a test server that `prepareBinary` has found or made. */
export async function findBinary(name: BinaryName): Promise<string> {
  for (const path of candidates(name)) if (await isExecutable(path)) return path;
  throw new Error(
    `${name} is missing: set KUBEBUILDER_ASSETS to a directory that has it, or run "npm run e2e", which builds it`,
  );
}

/**
 * Makes sure that `findBinary` succeeds: takes the server from the directory in KUBEBUILDER_ASSETS (as it is, or as
 * `<name>.xz`), from an earlier run, or else builds it from its Go module, which takes ten minutes for kube-apiserver.
 */
export async function prepareBinary(name: BinaryName): Promise<void> {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  const cached = join(cacheDir, "bin", name);
  for (const path of candidates(name)) if (await isExecutable(path)) return;
  if (assets && (await exists(join(assets, `${name}.xz`)))) await unpack(join(assets, `${name}.xz`), cached);
  else await buildBinary(name, cached);
}

function candidates(name: string): readonly string[] {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  return [...(assets ? [join(assets, name)] : []), join(cacheDir, "bin", name)];
}

async function unpack(archive: string, to: string): Promise<void> {
  await mkdir(join(to, ".."), { recursive: true });
  const part = `${to}.part-${process.pid}`;
  try {
    await run("/bin/sh", ["-c", 'xz -dc "$1" >"$2" && chmod +x "$2"', "sh", archive, part]);
  } catch (error) {
    throw new Error(
      `${archive} could not be unpacked: install xz (Debian: xz-utils), or unpack it and set KUBEBUILDER_ASSETS to that directory`,
      { cause: error },
    );
  }
  await rename(part, to);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A program that some machines have, there or on the PATH; undefined: the tests that need it are skipped. */
export async function findOptional(name: string): Promise<string | undefined> {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((place) => place !== "");
  for (const path of [...candidates(name), ...onPath.map((place) => join(place, name))])
    if (await isExecutable(path)) return path;
  return undefined;
}
