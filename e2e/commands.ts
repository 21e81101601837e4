import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { account } from "./registry.ts";
import { strata, type CommandResult } from "./strata.ts";
import type { Workspace } from "./workspace.ts";

/** What `strata build --output json` prints. */
export interface BuildReport {
  readonly revision: string;
  readonly digest: string;
  readonly size: number;
  readonly operation: string;
  readonly profile: string | null;
  readonly layers: readonly {
    readonly digest: string;
    readonly mediaType: string;
    readonly size: number;
    readonly offset: number;
    readonly title?: string;
    readonly manifest: string;
  }[];
  readonly skipped: Readonly<Record<string, number>>;
}

/** What a refusal prints with `--output json`. */
export interface ErrorReport {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly candidates?: readonly {
      readonly digest: string;
      readonly artifactType: string | null;
      readonly platform: string | null;
    }[];
  };
}

export type Environment = Readonly<Record<string, string>>;

/** A DOCKER_CONFIG directory as `docker login` leaves it, with the test account for each host. */
export async function dockerLogin(
  workspace: Workspace,
  name: string,
  hosts: readonly string[],
  password = account.password,
): Promise<Environment> {
  const dir = await workspace.directory(name);
  const auth = Buffer.from(`${account.username}:${password}`).toString("base64");
  await writeFile(
    join(dir, "config.json"),
    JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) }),
  );
  return { DOCKER_CONFIG: dir };
}

/** What the command line says while it waits for a registry, on a line of its own. */
const waits = /^.*; trying again at \d\d:\d\d:\d\d UTC\n/gm;

/** Runs a command that must succeed without a word on stderr but of waiting; its JSON. */
export async function strataJson<T>(args: readonly string[], env: Environment = {}): Promise<T> {
  const { code, stdout, stderr } = await strata([...args, "--output", "json"], env);
  if (code !== 0 || stderr.replace(waits, "") !== "")
    throw new Error(`strata ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

/** Runs a command that must fail with exit code 1 and print its error as JSON, and nothing else but that it waits. */
export async function strataRefusal(args: readonly string[], env: Environment = {}): Promise<ErrorReport["error"]> {
  const { code, stdout, stderr } = await strata([...args, "--output", "json"], env);
  if (code !== 1 || stderr.replace(waits, "") !== "")
    throw new Error(`strata ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return (JSON.parse(stdout) as ErrorReport).error;
}

export interface Measured extends CommandResult {
  /** User and system time of the whole process, its start included. */
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

/** Runs a command and asks the process itself, at its end, what it has used. */
export async function measureStrata(workspace: Workspace, args: readonly string[]): Promise<Measured> {
  const file = join(workspace.dir, "usage.json");
  // Not maxRSS of resourceUsage: that counts what this process had when it made the other.
  const peak = '/VmHWM:\\s+(\\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1] * 1024';
  const preload = `import { readFileSync, writeFileSync } from "node:fs";
    process.on("exit", () => writeFileSync(${JSON.stringify(file)}, JSON.stringify({ ...process.resourceUsage(), peak: ${peak} })));`;
  const result = await strata(args, { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` });
  const usage = JSON.parse(await readFile(file, "utf8")) as NodeJS.ResourceUsage & { readonly peak: number };
  return { ...result, cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000, peakRssBytes: usage.peak };
}
