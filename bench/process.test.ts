import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { cpuMsByThread, cpuMsOf, memoryOf, resetPeak, usageOf } from "./process.ts";

const stat = (name: string): string =>
  `1234 (${name}) S 1 1234 1234 0 -1 4194560 5000 7 0 0 1160 93 40 50 20 0 12 0 1000 2000000 21000 18446744073709551615`;

describe("CPU time", () => {
  it.each(["node", "a (b) c", "MainThread", ") 9 9 9"])("is user and system, without that of children: %s", (name) => {
    expect(cpuMsOf(stat(name))).toBe((1160 + 93) * 10);
  });

  it("is not guessed", () => {
    expect(() => cpuMsOf("1234 (node) Z")).toThrow(/no CPU times/);
  });
});

describe("memory", () => {
  const status = "Name:\tnode\nVmPeak:\t  999999 kB\nVmHWM:\t   90112 kB\nVmRSS:\t   79872 kB\nRssAnon:\t1 kB\n";

  it("is that of the resident set", () => {
    expect(memoryOf(status)).toEqual({ rssBytes: 78 * 1024 * 1024, peakRssBytes: 88 * 1024 * 1024 });
  });

  it("of a process that has ended is an error", () => {
    expect(() => memoryOf("Name:\tnode\nState:\tZ (zombie)\n")).toThrow(/VmRSS/);
  });
});

describe.runIf(process.platform === "linux")("this process", () => {
  it("has used something", async () => {
    const until = process.cpuUsage().user + 60_000;
    while (process.cpuUsage().user < until);
    const usage = await usageOf(process.pid);
    expect(usage.cpuMs).toBeGreaterThanOrEqual(50);
    expect(usage.peakRssBytes).toBeGreaterThanOrEqual(usage.rssBytes * 0.9);
    const threads = await cpuMsByThread(process.pid);
    const sum = [...threads.values()].reduce((total, ms) => total + ms, 0);
    expect(sum).toBeGreaterThan(0);
    expect(threads.size).toBeGreaterThan(1);
  });

  it("is told from one that does not exist", async () => {
    await expect(usageOf(2 ** 30)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await resetPeak(2 ** 30)).toBe(false);
  });
});

it.runIf(process.platform === "linux")("a peak can be forgotten", async () => {
  const program =
    "let ballast = Buffer.alloc(256 << 20, 1); ballast = undefined; gc(); console.log('done'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, ["--expose-gc", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    const pid = child.pid!;
    const before = await usageOf(pid);
    expect(before.peakRssBytes).toBeGreaterThan(256 << 20);
    // Some sandboxes do not allow it.
    if (await resetPeak(pid)) expect((await usageOf(pid)).peakRssBytes).toBeLessThan(128 << 20);
  } finally {
    child.kill("SIGKILL");
  }
});
