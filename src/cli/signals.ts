/** What a shell calls the end by a signal: 128 and its number. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export interface Stopping {
  /** Aborted by the first signal, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** The code to end with where a signal has come, or the output is gone; undefined otherwise. */
  readonly exitCode: () => number | undefined;
}

/**
 * Ends the process by signals. The first one aborts what is under way, which then removes its scratch files; whatever hangs
 * longer than `graceMs` is ended by force, and by a second signal at once.
 */
export function stopOnSignals(graceMs: number): Stopping {
  const abort = new AbortController();
  let exitCode: number | undefined;
  const stop = (code: number, why: string): void => {
    if (exitCode !== undefined) process.exit(exitCode);
    exitCode = code;
    process.exitCode = code;
    abort.abort(new DOMException(why, "AbortError"));
    setTimeout(() => process.exit(code), graceMs).unref();
  };
  for (const [name, code] of Object.entries(exitCodes)) process.on(name, () => stop(code, `stopped by ${name}`));
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (exitCode !== undefined) return;
    // A closed pipe (`strata tree … | head`) is the reader's decision: the code of SIGPIPE.
    const isClosed = error.code === "EPIPE";
    if (!isClosed) process.stderr.write(`error: standard output cannot be written: ${error.message}\n`);
    stop(isClosed ? 141 : 1, "the output was closed");
  });
  // Where nobody hears what goes wrong, the exit code still tells.
  process.stderr.on("error", () => undefined);
  return { signal: abort.signal, exitCode: () => exitCode };
}
