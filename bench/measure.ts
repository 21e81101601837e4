import { setTimeout as sleep } from "node:timers/promises";
import type { ControlPlane } from "../e2e/controlplane.ts";
import type { LoggedRequest, Registry } from "../e2e/registry.ts";
import type { Workspace } from "../e2e/workspace.ts";
import type { Artifacts } from "./artifacts.ts";
import type { Controller } from "./controllers.ts";
import { resetPeak, usageOf } from "./process.ts";

/** What one piece of work took. */
export interface Measurement {
  readonly wallMs: number;
  /** User and system time of the process. */
  readonly cpuMs: number;
  /** Resident memory before the work. */
  readonly idleRssBytes: number;
  readonly peakRssBytes: number;
  /** Requests that the registry has answered. */
  readonly requests: number;
  /** Bytes that the registry has sent. */
  readonly bytes: number;
  /** The 99th percentile of how late the event loop was, as the process itself says; 0 where it has none. */
  readonly loopDelayMs: number;
}

/** The servers that all measurements share. */
export interface Bench {
  readonly workspace: Workspace;
  readonly plane: ControlPlane;
  readonly registry: Registry;
  readonly artifacts: Artifacts;
  /** Given to both controllers. */
  readonly flags: readonly string[];
  /** Makes Strata's controller be profiled while it is measured. */
  readonly profiler?: Profiler;
}

export interface Profiler {
  /** Where the controller has to open Node's inspector. */
  readonly inspectorPort: number;
  /** Runs `body` and reports what `pid` did meanwhile. */
  around(pid: number, body: () => Promise<void>): Promise<void>;
}

/** Work that the controller does after the object is ready, such as sending events, belongs to it. */
const settleMs = 1000;

/** CPU, memory and requests of `controller` during `body`, and a second longer. Several equal pieces of work are divided by `times`. */
export async function measure(
  bench: Bench,
  controller: Controller,
  body: () => Promise<void>,
  times = 1,
): Promise<Measurement> {
  const traffic = await watchTraffic(bench.registry);
  await resetPeak(controller.pid);
  const before = await usageOf(controller.pid);
  // It begins anew with each look at it.
  await controller.loopDelayMs();
  let wallMs = 0;
  const work = async (): Promise<void> => {
    const from = performance.now();
    await body();
    wallMs = performance.now() - from;
    await sleep(settleMs);
  };
  await (bench.profiler && controller.side === "strata" ? bench.profiler.around(controller.pid, work) : work());
  const after = await usageOf(controller.pid);
  const loopDelayMs = await controller.loopDelayMs();
  const { requests, bytes } = await traffic();
  return {
    wallMs: wallMs / times,
    cpuMs: (after.cpuMs - before.cpuMs) / times,
    idleRssBytes: before.rssBytes,
    peakRssBytes: after.peakRssBytes,
    requests: requests / times,
    bytes: bytes / times,
    loopDelayMs,
  };
}

/** Resolves with what the registry has served since the call. The benchmark itself only pushes between measurements. */
export async function watchTraffic(registry: Registry): Promise<() => Promise<{ requests: number; bytes: number }>> {
  const seen = (await registry.requests()).length;
  return async () => trafficOf((await registry.requests()).slice(seen));
}

/** HEAD answers state the size of a body that is not sent. */
export function trafficOf(requests: readonly LoggedRequest[]): { requests: number; bytes: number } {
  const ofControllers = requests.filter(({ agent }) => !isOurs(agent));
  return {
    requests: ofControllers.length,
    bytes: ofControllers.reduce((sum, { method, bytes }) => sum + (method === "HEAD" ? 0 : bytes), 0),
  };
}

/** The user agent of `fetch` in Node, with which this program pushes and looks whether the registry is there. */
function isOurs(agent: string): boolean {
  return agent === "node" || agent === "undici";
}

/** A process counts as busy while it uses more than a twenty-fifth of a core. */
const quietness = { windowMs: 500, busyMs: 20, forMs: 3000 };

/** When the process was last busy, on the clock of `performance.now()`; returns once it has been quiet for three seconds. */
export async function lastBusy(pid: number, timeoutMs: number): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let busyAt = performance.now();
  let { cpuMs } = await usageOf(pid);
  while (performance.now() - busyAt < quietness.forMs) {
    if (performance.now() > deadline) throw new Error(`the process was still busy after ${timeoutMs} ms`);
    await sleep(quietness.windowMs);
    const now = (await usageOf(pid)).cpuMs;
    if (now - cpuMs >= quietness.busyMs) busyAt = performance.now();
    cpuMs = now;
  }
  return busyAt;
}
