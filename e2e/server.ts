import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, openSync, closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { eventually } from "./wait.ts";

export interface ServerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Directory for `<name>.log`; a second start of the same name appends to it. */
  readonly logs: string;
  readonly ready: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

/** A server that runs in a process of its own and dies with this one. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** SIGTERM, and SIGKILL when it takes longer than `graceMs`. Resolves with the exit code. */
  stop(graceMs?: number): Promise<number>;
  kill(): Promise<number>;
  running(): boolean;
  log(): Promise<string>;
}

/**
 * Standard input is a lifeline: however this process ends, its end of the pipe closes and the guard kills the server.
 * The shell reaps the server, so its process id cannot be another's while the guard lives.
 */
const guardScript = `exec 4<&0
"$@" </dev/null 3>&- 4<&- &
server=$!
echo $server >&3
exec 3>&-
{ cat <&4 >/dev/null; kill -9 $server 2>/dev/null; } &
guard=$!
exec 4<&-
wait $server
code=$?
kill $guard 2>/dev/null
exit $code`;

/** Resolves when the server answers; a server that exits first is an error that shows the end of its log. */
export async function startServer(spec: ServerSpec): Promise<Server> {
  mkdirSync(spec.logs, { recursive: true });
  const logFile = join(spec.logs, `${spec.name}.log`);
  const log = openSync(logFile, "a");
  const shell = spawn("/bin/sh", ["-c", guardScript, "sh", spec.command, ...spec.args], {
    stdio: ["pipe", log, log, "pipe"],
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TMPDIR: process.env["TMPDIR"], ...spec.env },
  });
  closeSync(log);
  const server = serverOf(spec.name, shell, Number(await text(shell.stdio[3] as Readable)), logFile);
  try {
    await eventually(
      `${spec.name} to be ready`,
      async () => !server.running() || (await spec.ready()),
      spec.readyTimeoutMs,
    );
    if (!server.running())
      throw new Error(`${spec.name} exited; its log ends with:\n${(await server.log()).slice(-4000)}`);
  } catch (error) {
    await server.kill();
    throw error;
  }
  return server;
}

function serverOf(name: string, shell: ChildProcess, pid: number, logFile: string): Server {
  const exited = once(shell, "exit").then(([code]) => Number(code ?? 1));
  const running = (): boolean => shell.exitCode === null && shell.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (running()) process.kill(pid, name);
    } catch (error) {
      // It ended by itself a moment ago.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  return {
    name,
    pid,
    logFile,
    running,
    log: () => readFile(logFile, "utf8"),
    kill: () => {
      signal("SIGKILL");
      return exited;
    },
    stop: async (graceMs = 10_000) => {
      signal("SIGTERM");
      const timer = setTimeout(() => signal("SIGKILL"), graceMs);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

/** Below those that outgoing connections get: one of these could take the port before its server does. */
const ports = { from: 20_000, to: 30_000 };
const given = new Set<number>();

/** A port that nobody listens on, and that this process has not given away before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(ports.from, ports.to);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw error;
  }
  probe.close();
  await once(probe, "close");
  return true;
}

/** True where the address answers with a status below 500. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.status < 500;
}
