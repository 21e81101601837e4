import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { LoggedRequest } from "../e2e/registry.ts";
import { cpuMsOfChildren, findProgram } from "./commands.ts";
import { lastBusy, trafficOf } from "./measure.ts";

const request = (agent: string, change: Partial<LoggedRequest> = {}): LoggedRequest => ({
  method: "GET",
  path: "/v2/",
  status: 200,
  bytes: 100,
  agent,
  ...change,
});

describe("traffic", () => {
  it("is that of the controllers, not that of the benchmark", () => {
    expect(trafficOf([request("node"), request("strata"), request("flux/v2"), request("undici")])).toEqual({
      requests: 2,
      bytes: 200,
    });
  });

  it("has no bytes in answers to HEAD", () => {
    expect(trafficOf([request("strata", { method: "HEAD", bytes: 525 }), request("strata", { bytes: 7 })])).toEqual({
      requests: 2,
      bytes: 7,
    });
  });
});

describe("POSIX times", () => {
  it.each<[string, number]>([
    ["0m0.000000s 0m0.010000s\n0m1.230000s 0m0.170000s\n", 1400],
    ["0m0.00s 0m0.00s\n2m3.50s 0m0.50s", 124_000],
  ])("of children: %j", (text, expected) => {
    expect(cpuMsOfChildren(text)).toBeCloseTo(expected, 3);
  });

  it.each(["", "0m1.0s 0m1.0s", "a\nb"])("are not guessed: %j", (text) => {
    expect(() => cpuMsOfChildren(text)).toThrow(/no times/);
  });
});

it("a program is found on the PATH or not at all", async () => {
  expect(await findProgram("sh")).toHaveLength(1);
  expect(await findProgram("no-such-program-anywhere")).toBeUndefined();
});

it.runIf(process.platform === "linux")("a process that rests is told from one that works", async () => {
  const from = performance.now();
  const child = spawn(
    process.execPath,
    ["-e", "const until = performance.now() + 1500; while (performance.now() < until); setTimeout(() => {}, 60_000)"],
    { stdio: "ignore" },
  );
  try {
    await once(child, "spawn");
    const busyMs = (await lastBusy(child.pid!, 12_000)) - from;
    expect(busyMs).toBeGreaterThan(1000);
    expect(busyMs).toBeLessThan(6000);
  } finally {
    child.kill("SIGKILL");
  }
});
