import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { ControlPlane } from "./controlplane.ts";
import type { Server } from "./server.ts";
import { answers, freePort, startServer } from "./server.ts";
import type { Workspace } from "./workspace.ts";

const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** Installs the CRD, the namespace and exactly the RBAC that the project ships. */
export async function installStrata(plane: ControlPlane): Promise<void> {
  for (const name of await readdir(path("crds")))
    if (name.startsWith("source.strata.dev_")) await plane.admin.applyFile(path(`crds/${name}`));
  await plane.admin.applyFile(path("config/default/namespace.yaml"));
  const { resources } = parse(await readFile(path("config/rbac/kustomization.yaml"), "utf8")) as {
    resources: readonly string[];
  };
  for (const resource of resources) await plane.admin.applyFile(path(`config/rbac/${resource}`));
}

export interface StrataOptions {
  /** Also the name of its log and storage. */
  readonly name?: string;
  readonly flags?: readonly string[];
  /** Storage of an earlier controller. */
  readonly storage?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Node's flags for the controller, which its first line has. */
export const nodeFlags: readonly string[] = flagsOf("src/main.ts");

/** Node's arguments for the controller's bundle. */
export const controllerArgs: readonly string[] = [...nodeFlags, path("dist/strata-controller.js")];

function flagsOf(program: string): readonly string[] {
  const [, flags] = /^#!\/usr\/bin\/env -S node (.+)\n/.exec(readFileSync(path(program), "utf8")) ?? [];
  if (flags === undefined) throw new Error(`the first line of ${program} does not say how node runs it`);
  return flags.split(" ");
}

/** The controller under test, with the token of its own service account. */
export interface Strata {
  readonly server: Server;
  readonly storage: string;
  /** `127.0.0.1:9090`, where artifacts are served. */
  readonly address: string;
  metrics(): Promise<string>;
  /** The status code of `/healthz` or `/readyz`. */
  probe(path: "/healthz" | "/readyz"): Promise<number>;
  /** Starts it again with the same storage, ports and flags, after `server.kill()` or `server.stop()`. */
  restart(options?: { readonly waitForReady: boolean }): Promise<Strata>;
}

export async function startStrata(
  workspace: Workspace,
  plane: ControlPlane,
  options: StrataOptions = {},
): Promise<Strata> {
  const name = options.name ?? "strata-controller";
  const storage = options.storage ?? (await workspace.directory(`${name}-storage`));
  const ports = { artifacts: await freePort(), health: await freePort(), metrics: await freePort() };
  const kubeconfig = await plane.kubeconfigFor("strata-system", "strata-controller");
  const spec = {
    name,
    command: process.execPath,
    args: [...controllerArgs, ...defaultFlags(storage, ports), ...(options.flags ?? [])],
    env: { KUBECONFIG: kubeconfig, RUNTIME_NAMESPACE: "strata-system", ...options.env },
    logs: workspace.logs,
    ready: () => answers(`http://127.0.0.1:${ports.health}/readyz`),
  };
  const launch = async ({ waitForReady } = { waitForReady: true }): Promise<Strata> => {
    const server = await startServer(waitForReady ? spec : { ...spec, ready: async () => true });
    workspace.onEnd(() => server.kill());
    return {
      server,
      storage,
      address: `127.0.0.1:${ports.artifacts}`,
      metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
      probe: async (path) => (await fetch(`http://127.0.0.1:${ports.health}${path}`)).status,
      restart: launch,
    };
  };
  return launch();
}

function defaultFlags(
  storage: string,
  ports: { readonly artifacts: number; readonly health: number; readonly metrics: number },
): string[] {
  return [
    `--storage-path=${storage}`,
    `--storage-addr=127.0.0.1:${ports.artifacts}`,
    `--storage-adv-addr=127.0.0.1:${ports.artifacts}`,
    `--health-addr=127.0.0.1:${ports.health}`,
    `--metrics-addr=127.0.0.1:${ports.metrics}`,
    "--events-addr=",
    "--log-level=debug",
    "--enable-leader-election=false",
    "--requeue-dependency=2s",
    "--sigstore-tuf=false",
  ];
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line from its bundle. */
export async function strata(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [path("dist/strata.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      TMPDIR: process.env["TMPDIR"],
      STRATA_SIGSTORE_TUF: "false",
      ...env,
    },
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: Number(code ?? 1), stdout, stderr };
}
