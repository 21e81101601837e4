import { PassThrough, Readable } from "node:stream";
import type { CommandIO, ProcessIO } from "../cli/command.ts";
import { runCommand } from "../cli/run.ts";
import { noTerminal, screenOf } from "../cli/screen.ts";
import { cliEnvironment } from "../config.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandTestOptions {
  readonly signal?: AbortSignal;
  /** Whether stderr is a terminal, 80 columns wide. */
  readonly terminal?: boolean;
  /** Columns of the terminal that stdout is; undefined where it is none. */
  readonly columns?: number;
  readonly stdin?: string;
  /** Environment variables; HOME is a directory that does not exist, and nobody is asked for trusted roots, unless they say so. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Streams of a command that runs in this process, and what it has written to them. */
export function testIO(options: CommandTestOptions = {}): {
  readonly io: CommandIO;
  readonly written: () => { stdout: string; stderr: string };
} {
  const collect = (): { stream: PassThrough; text: () => string } => {
    const chunks: Buffer[] = [];
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
  };
  const [stdout, stderr] = [collect(), collect()];
  const environment = cliEnvironment({ HOME: "nonexistent", STRATA_SIGSTORE_TUF: "false", ...options.env });
  const stderrTerminal = options.terminal === true ? { isTTY: true, columns: 80 } : noTerminal;
  const stdoutTerminal = options.columns === undefined ? noTerminal : { isTTY: true, columns: options.columns };
  const io = {
    stdin: Readable.from([Buffer.from(options.stdin ?? "")]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    terminals: { stdout: stdoutTerminal, stderr: stderrTerminal },
    terminal: stderrTerminal.isTTY === true,
    out: screenOf(stdoutTerminal, "auto", environment),
    err: screenOf(stderrTerminal, "auto", environment),
    environment,
    signal: options.signal ?? new AbortController().signal,
  };
  return { io, written: () => ({ stdout: stdout.text(), stderr: stderr.text() }) };
}

/** Runs `strata ARGS…` in this process. */
export async function runStrata(args: readonly string[], options: CommandTestOptions = {}): Promise<CommandResult> {
  const { io, written } = testIO(options);
  const code = await runCommand(args, io satisfies ProcessIO);
  // A stream hands its chunks on before the next turn.
  await new Promise(setImmediate);
  return { code, ...written() };
}
