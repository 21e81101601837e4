import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const timeout = 60_000;

async function help(cache: string): Promise<string> {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  return (await promisify(execFile)(process.execPath, [program, "build", "--help"], { env, timeout })).stdout;
}

it.runIf(process.platform === "linux")("keeps what was compiled in the user's cache", { timeout }, async () => {
  const cache = await mkdtemp(join(tmpdir(), "strata-compiled-"));
  try {
    await help(cache);
    const kept = await readdir(join(cache, "strata", "compiled"), { recursive: true });
    expect(kept.length).toBeGreaterThan(1);
  } finally {
    await rm(cache, { recursive: true });
  }
});

it.runIf(process.platform === "linux")("keeps nothing where others may write", { timeout }, async () => {
  const cache = await mkdtemp(join(tmpdir(), "strata-compiled-"));
  try {
    const directory = join(cache, "strata", "compiled");
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o775);
    expect(await help(cache)).toContain("strata build");
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await rm(cache, { recursive: true });
  }
});

it.runIf(process.platform === "linux")("works without a cache that can be written", { timeout }, async () => {
  expect(await help("/proc/none")).toContain("strata build");
});
