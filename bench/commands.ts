import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdtemp, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { watchTraffic, type Bench, type Measurement } from "./measure.ts";
import { memoryOf } from "./process.ts";

/** Runs the command, tells its process id on descriptor 3, then the times of its children on 4 (POSIX `times`). */
const timedPattern = `"$@" 3>&- 4>&- &
echo $! >&3
exec 3>&-
wait $!
code=$?
times >&4
exit $code`;

/**
 * Runs a program that ends by itself. Its output directory is a new one and stays until the end: for minutes after thousands of
 * files were removed, ext4 looks through all their inodes for each new file, which takes 20 times as long as the rest.
 */
export async function measureCommand(
  bench: Bench,
  program: readonly string[],
  argsFor: (out: string) => readonly string[],
): Promise<Measurement> {
  const out = await mkdtemp(join(bench.workspace.dir, "out-"));
  const traffic = await watchTraffic(bench.registry);
  const run = await timed([...program, ...argsFor(out)]);
  return { ...run, idleRssBytes: 0, loopDelayMs: 0, ...(await traffic()) };
}

async function timed(command: readonly string[]): Promise<Pick<Measurement, "wallMs" | "cpuMs" | "peakRssBytes">> {
  const shell = spawn("/bin/sh", ["-c", timedPattern, "sh", ...command], {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
  });
  // Only now: it takes a large process, as this one becomes, tens of milliseconds to start another.
  const from = performance.now();
  const [errors, times] = [text(shell.stderr as Readable), text(shell.stdio[4] as Readable)];
  const ended = once(shell, "exit") as Promise<[number | null]>;
  const peak = peakWhile(Number(await text(shell.stdio[3] as Readable)), shell);
  const [code] = await ended;
  const wallMs = performance.now() - from;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${(await errors).slice(-2000)}`);
  return { wallMs, cpuMs: cpuMsOfChildren(await times), peakRssBytes: await peak };
}

/** The peak only grows, so the last look is nearly right; the very last milliseconds are not seen. */
async function peakWhile(pid: number, shell: ChildProcess): Promise<number> {
  let peak = 0;
  while (shell.exitCode === null && shell.signalCode === null) {
    // A process that is about to end has no memory left to tell of.
    peak = await readFile(`/proc/${pid}/status`, "utf8")
      .then((status) => memoryOf(status).peakRssBytes)
      .catch(() => peak);
    await sleep(10);
  }
  return peak;
}

/** The second line of POSIX `times` is user and system time of the children, such as `0m1.230000s 0m0.4s`. */
export function cpuMsOfChildren(times: string): number {
  const line = times.trim().split("\n")[1] ?? "";
  const parts = [...line.matchAll(/(\d+)m([\d.]+)s/g)];
  if (parts.length !== 2) throw new Error(`no times of children in ${JSON.stringify(times)}`);
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0);
}

/** `strata` from its bundle. */
export const strataProgram: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("../dist/strata.js", import.meta.url)),
];

/** A program on the PATH, or undefined. */
export async function findProgram(name: string): Promise<readonly string[] | undefined> {
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(dir, name);
    if (
      dir !== "" &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return [path];
  }
  return undefined;
}
