import type { Writable } from "node:stream";
import type { CliEnvironment } from "../config.ts";
import type { CodedError } from "../errors.ts";
import type { Flags } from "./flags/flag.ts";
import type { Screen, Terminal } from "./screen.ts";

/** What the process gives to a command: streams instead of globals, so that tests run commands in process. */
export interface ProcessIO {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly terminals: { readonly stdout: Terminal; readonly stderr: Terminal };
  readonly environment: CliEnvironment;
  readonly signal: AbortSignal;
}

/** Where a command reads from and writes to. */
export interface CommandIO extends ProcessIO {
  /** True where stderr is a terminal: progress bars are for people only. */
  readonly terminal: boolean;
  /** How stdout shows text. */
  readonly out: Screen;
  /** How stderr shows text. */
  readonly err: Screen;
}

/** One subcommand of `strata`. */
export interface Command {
  readonly summary: string;
  /** The whole `--help` text. */
  readonly help: string;
  /** Its flags but for those of `commonFlags`: parsing, help, completion, suggestions and the reference go by them. */
  readonly options: Flags;
  /**
   * @returns the exit code: 0, or 1 for a failure that was already printed
   * @throws UsageError for wrong arguments (exit code 2); any other error is printed and ends with 1
   */
  run(args: readonly string[], io: CommandIO): Promise<number>;
}

/** The command line itself is wrong: exit code 2, with a hint at `--help`. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** What a program is told, where more than the usage is known. */
  readonly coded: CodedError | undefined;

  constructor(message: string, coded?: CodedError) {
    super(message, coded && { cause: coded });
    this.coded = coded;
  }
}
