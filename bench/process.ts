import { readdir, readFile, writeFile } from "node:fs/promises";

/** What a process has used: CPU since it started, memory now and at its highest. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** Since the process started, or since `resetPeak`. */
  readonly peakRssBytes: number;
}

/** Linux counts CPU time in hundredths of a second towards programs, whatever its own tick (proc(5), USER_HZ). */
const tickMs = 10;

/** User and system time of all its threads, from the content of /proc/PID/stat (proc(5)). */
export function cpuMsOf(stat: string): number {
  // The name in parentheses may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`no CPU times in ${JSON.stringify(stat)}`);
  return ticks * tickMs;
}

/** VmRSS and VmHWM from the content of /proc/PID/status (proc(5)). */
export function memoryOf(status: string): Omit<Usage, "cpuMs"> {
  return { rssBytes: kilobytes(status, "VmRSS") * 1024, peakRssBytes: kilobytes(status, "VmHWM") * 1024 };
}

function kilobytes(status: string, field: string): number {
  const [, value] = new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status) ?? [];
  if (value === undefined) throw new Error(`no ${field} in the status of a process; has it ended?`);
  return Number(value);
}

export async function usageOf(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  return { cpuMs: cpuMsOf(stat), ...memoryOf(status) };
}

/** Makes the peak that `usageOf` states start anew. False where the kernel does not let us: the peak is then since the start. */
export function resetPeak(pid: number): Promise<boolean> {
  return writeFile(`/proc/${pid}/clear_refs`, "5").then(
    () => true,
    () => false,
  );
}

/** CPU time by the names of the threads that live now, such as MainThread and libuv-worker. */
export async function cpuMsByThread(pid: number): Promise<ReadonlyMap<string, number>> {
  const byName = new Map<string, number>();
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    byName.set(name, (byName.get(name) ?? 0) + cpuMsOf(stat));
  }
  return byName;
}
