import type { Writable } from "node:stream";
import type { ParseArgsOptionsConfig } from "node:util";
import type { CliEnvironment } from "../config.ts";

/** Where a command reads from and writes to: streams instead of globals, so that tests run commands in process. */
export interface CommandIO {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** True where stderr is a terminal: progress bars and colours are for people only. */
  readonly terminal: boolean;
  readonly environment: CliEnvironment;
  readonly signal: AbortSignal;
}

/** One subcommand of `strata`. */
export interface Command {
  readonly summary: string;
  /** The whole `--help` text. */
  readonly help: string;
  /** Its flags, as parseArgs takes them: parsing, completion and the reference go by them. */
  readonly options: ParseArgsOptionsConfig;
  /**
   * @returns the exit code: 0, or 1 for a failure that was already printed
   * @throws UsageError for wrong arguments (exit code 2); any other error is printed and ends with 1
   */
  run(args: readonly string[], io: CommandIO): Promise<number>;
}

/** The command line itself is wrong: exit code 2, with a hint at `--help`. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
