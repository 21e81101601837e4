import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { getAsset, isSea } from "node:sea";
import { Worker } from "node:worker_threads";
import { parentOf } from "../archive/path.ts";
import { CodedError, type ErrorCode, stopIfAborted } from "../errors.ts";
import type { FileBatch } from "./write-files.ts";

const maxThreads = 4;
/** They make hardly any objects; by default a thread takes 16 MiB for young ones. */
const threadLimits = { maxYoungGenerationSizeMb: 2 };

interface FileThread {
  readonly worker: Worker;
  /** The directory it works in: only one thread at a time can make files in one. */
  directory: string | undefined;
}

/** Threads that write batches of files. They are started when there is work for them; `stop` ends them, whatever they do. */
export class FileThreads {
  readonly #threads: FileThread[] = [];
  readonly #queue: FileBatch[] = [];
  readonly #maxThreads = Math.min(maxThreads, Math.max(1, availableParallelism() - 1));
  #failure: unknown;
  #wake: (() => void) | undefined;

  get areStarted(): boolean {
    return this.#threads.length > 0;
  }

  /** @throws what a thread threw */
  add(batch: FileBatch): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#queue.push(batch);
    this.#assign();
  }

  /** Waits until every batch is written. @throws what a thread threw, and Aborted */
  async done(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!this.#isIdle()) {
        if (this.#failure !== undefined) throw this.#failure;
        stopIfAborted(signal, "while writing the directory");
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** Ends for good: once this has returned, no file is written any more, and what is not done will never be. */
  async stop(): Promise<void> {
    this.#failure ??= new CodedError("Aborted", "stopped while writing the directory");
    this.#wake?.();
    this.#queue.length = 0;
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  #isIdle(): boolean {
    return (
      this.#failure === undefined &&
      this.#queue.length === 0 &&
      this.#threads.every(({ directory }) => directory === undefined)
    );
  }

  #assign(): void {
    for (;;) {
      const index = this.#queue.findIndex((batch) =>
        this.#threads.every(({ directory }) => directory !== directoryOf(batch)),
      );
      const thread =
        index < 0 ? undefined : (this.#threads.find(({ directory }) => directory === undefined) ?? this.#start());
      if (thread === undefined) return;
      const [batch] = this.#queue.splice(index, 1);
      thread.directory = directoryOf(batch!);
      thread.worker.postMessage(batch, [batch!.ranges.buffer]);
    }
  }

  #start(): FileThread | undefined {
    if (this.#threads.length === this.#maxThreads) return undefined;
    const worker = startWorker();
    const thread: FileThread = { worker, directory: undefined };
    worker.on("message", (answer: "written" | { readonly code: ErrorCode; readonly message: string }) => {
      thread.directory = undefined;
      if (answer === "written") this.#assign();
      else this.#failure ??= new CodedError(answer.code, answer.message);
      this.#wake?.();
    });
    worker.on("error", (error) => {
      this.#failure ??= error;
      this.#wake?.();
    });
    this.#threads.push(thread);
    return thread;
  }
}

/** The program in one file holds the thread's code, as an asset; otherwise that stands beside this file. */
function startWorker(): Worker {
  const options = { execArgv: [], resourceLimits: threadLimits };
  if (isSea()) return new Worker(getAsset("file-writer", "utf8"), { ...options, eval: true });
  return new Worker(new URL(`./file-writer${extname(import.meta.url)}`, import.meta.url), options);
}

function directoryOf({ root, paths }: FileBatch): string {
  return `${root}/${parentOf(paths[0]!)}`;
}
