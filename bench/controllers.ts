import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pLimit from "p-limit";
import { findBinary } from "../e2e/binaries.ts";
import type { ControlPlane } from "../e2e/controlplane.ts";
import type { Kind, Kube } from "../e2e/kube.ts";
import { KubeStatusError } from "../e2e/kube.ts";
import type { Server } from "../e2e/server.ts";
import { freePort, startServer } from "../e2e/server.ts";
import { controllerArgs, nodeFlags } from "../e2e/strata.ts";
import { eventually } from "../e2e/wait.ts";
import type { Workspace } from "../e2e/workspace.ts";

/** The two that are compared. */
export const sides = ["strata", "flux"] as const;
export type Side = (typeof sides)[number];

export const namespace = "default";
export const kindOf = { strata: "ArtifactRepository", flux: "OCIRepository" } as const satisfies Record<Side, Kind>;
export const apiVersionOf = {
  strata: "source.strata.dev/v1beta1",
  flux: "source.toolkit.fluxcd.io/v1",
} as const satisfies Record<Side, string>;

const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

export interface ControllerOptions {
  /** Given to both, such as `--concurrent=10`. */
  readonly flags: readonly string[];
  /** Runs Strata from its sources, with Node's inspector on this port, so that a profile shows the functions' names. */
  readonly inspectorPort?: number;
}

/** One of the controllers, running. */
export interface Controller {
  readonly side: Side;
  readonly pid: number;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  /** From its start until /readyz said so. */
  readonly readyMs: number;
  /** What Prometheus would read. */
  metrics(): Promise<string>;
  /** The 99th percentile of the delays of its event loop since the last call, or since its start; 0 without one. */
  loopDelayMs(): Promise<number>;
  /** Stops it and starts it again with the same storage and addresses. */
  restart(): Promise<Controller>;
  /** Kills it. Its storage stays until the benchmark ends: ext4 makes files slowly for a minute after many were removed. */
  end(): Promise<void>;
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

let started = 0;

/** With a storage of its own, which is empty. */
export async function startController(
  at: { workspace: Workspace; plane: ControlPlane },
  side: Side,
  options: ControllerOptions,
): Promise<Controller> {
  started += 1;
  const storage = await storageOf(at.workspace, `${side}-${started}`);
  const artifacts = await freePort();
  const healthPort = await freePort();
  const metricsPort = await freePort();
  const flags = [
    `--storage-path=${storage}`,
    `--storage-addr=127.0.0.1:${artifacts}`,
    `--storage-adv-addr=127.0.0.1:${artifacts}`,
    `--health-addr=127.0.0.1:${healthPort}`,
    `--metrics-addr=127.0.0.1:${metricsPort}`,
    "--events-addr=",
    "--enable-leader-election=false",
    ...options.flags,
  ];
  const { command, args, env } = await commandOf(at.plane, side, options);
  const launch = async (): Promise<Controller> => {
    const startedAt = performance.now();
    const server = await startServer({
      name: `${side}-${started}`,
      command,
      args: [...args, ...flags],
      env,
      logs: at.workspace.logs,
      ready: () => soonReady(`http://127.0.0.1:${healthPort}/readyz`),
    });
    const readyMs = performance.now() - startedAt;
    at.workspace.onEnd(() => server.kill());
    return controllerOf(side, { server, startedAt, readyMs, metricsPort, launch });
  };
  return await launch();
}

/**
 * Storages are kept apart as volumes are: ext4 would put them where source-controller's temporary files were, and looks through
 * all that were removed there for each new one. Other file systems do not have that flag, nor that trouble.
 */
async function storageOf(workspace: Workspace, name: string): Promise<string> {
  const storages = await workspace.directory("storages");
  await promisify(execFile)("chattr", ["+T", storages]).catch(() => undefined);
  return await workspace.directory(`storages/${name}`);
}

function controllerOf(
  side: Side,
  run: { server: Server; startedAt: number; readyMs: number; metricsPort: number; launch: () => Promise<Controller> },
): Controller {
  const metrics = async (): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${run.metricsPort}/metrics`, { signal: AbortSignal.timeout(60_000) })).text();
  return {
    side,
    pid: run.server.pid,
    startedAt: run.startedAt,
    readyMs: run.readyMs,
    metrics,
    loopDelayMs: async () => loopDelayMsOf(await metrics()),
    restart: async () => {
      await run.server.stop();
      return await run.launch();
    },
    end: async () => void (await run.server.kill()),
  };
}

/** What prom-client shows of Node's histogram, which counts its own period of 10 ms. */
export function loopDelayMsOf(metrics: string): number {
  const [, seconds = "0"] = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(metrics) ?? [];
  return Number(seconds) * 1000;
}

async function commandOf(plane: ControlPlane, side: Side, options: ControllerOptions): Promise<Command> {
  if (side === "flux")
    return {
      command: await findBinary("source-controller"),
      args: [],
      env: { RUNTIME_NAMESPACE: "flux-system", KUBECONFIG: plane.kubeconfig },
    };
  const env = {
    RUNTIME_NAMESPACE: "strata-system",
    KUBECONFIG: await plane.kubeconfigFor("strata-system", "strata-controller"),
  };
  const args =
    options.inspectorPort === undefined
      ? controllerArgs
      : [...nodeFlags, `--inspect=127.0.0.1:${options.inspectorPort}`, path("src/main.ts")];
  return { command: process.execPath, args, env };
}

/** Looks often for a while, because starting is measured; gives up in between so that an early exit is noticed. */
async function soonReady(url: string): Promise<boolean> {
  const deadline = performance.now() + 1000;
  while (performance.now() < deadline) {
    if (await isReadyAt(url)) return true;
    await sleep(10);
  }
  return false;
}

async function isReadyAt(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Removes what a measurement has left in the cluster; no controller runs to finalize it. */
export async function removeObjects(kube: Kube): Promise<void> {
  const limit = pLimit(8);
  for (const kind of ["ArtifactRepository", "ExternalArtifact", "OCIRepository"] as const) {
    // A kind that has only just been installed has no storage for a moment.
    const objects = await eventually(`the list of ${kind}`, () => kube.list(kind, namespace));
    await limit.map(objects, async ({ metadata: { name, finalizers } }) => {
      const ref = { kind, namespace, name };
      if (finalizers !== undefined) await unlessGone(kube.patch(ref, { metadata: { finalizers: null } }));
      await unlessGone(kube.delete(ref));
    });
  }
}

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof KubeStatusError && error.status === 404)) throw error;
  }
}
