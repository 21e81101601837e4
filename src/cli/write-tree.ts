import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { FileEntry, Tree } from "../archive/tree.ts";
import { CodedError, type ErrorCode } from "../errors.ts";
import { createDirectory } from "./place.ts";
import { RANGE_COLUMNS, writeFiles, type FileBatch } from "./write-files.ts";
import { writeFailed } from "./write-output.ts";

const MAX_THREADS = 4;
/** They make hardly any objects; by default a thread takes 16 MiB for young ones. */
const threadLimits = { maxYoungGenerationSizeMb: 2 };
/** What a file costs besides its bytes, in bytes that could be written meanwhile. */
const FILE_COST = 32 * 1024;
/** Starting threads takes longer than writing this. */
const INLINE_COST = 256 * FILE_COST;

type NamedFile = readonly [path: string, entry: FileEntry];

/**
 * Writes a tree without links below `root`: first the directories, then, by several threads, the files. Files that are there
 * already are replaced, and nothing is written through a symlink.
 *
 * @throws StorageFailed; ArchiveUnsafePath where something else than a file or directory is in the way; Aborted
 */
export async function writeTreeOutput(tree: Tree, root: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw stopped(signal);
  try {
    mkdirSync(root, { recursive: true });
    makeDirectories(tree, root);
    const batches = divide(filesOf(tree)).map((files) => batchOf(root, files));
    if (batches.length === 1) writeFiles(batches[0]!);
    else await writeBatches(batches, signal);
  } catch (error) {
    throw writeFailed(root, error);
  }
}

/** Every directory that a file lies in is in the tree; parents have shorter names. */
function makeDirectories(tree: Tree, root: string): void {
  const paths = [...tree.entries].flatMap(([path, { kind }]) => (kind === "dir" ? [path] : []));
  for (const path of paths.sort((a, b) => a.length - b.length)) createDirectory(join(root, path));
}

function filesOf(tree: Tree): NamedFile[] {
  return [...tree.entries].filter((file): file is [string, FileEntry] => file[1].kind === "file");
}

/** In runs: neighbours lie side by side in a scratch file, and mostly in one directory, which one thread at a time can change. */
function divide(files: readonly NamedFile[]): NamedFile[][] {
  const total = files.reduce((sum, [, { body }]) => sum + body.size + FILE_COST, 0);
  const count = total < INLINE_COST ? 1 : Math.min(MAX_THREADS, availableParallelism());
  const parts: NamedFile[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const file of files) {
    parts[Math.floor((before / total) * count)]!.push(file);
    before += file[1].body.size + FILE_COST;
  }
  return parts;
}

function batchOf(root: string, files: readonly NamedFile[]): FileBatch {
  const sources = new Map<string, number>();
  const ranges = new Float64Array(files.length * RANGE_COLUMNS);
  for (const [index, [, { body, executable }]] of files.entries()) {
    if (!sources.has(body.file)) sources.set(body.file, sources.size);
    ranges.set([sources.get(body.file)!, body.offset, body.size, executable ? 1 : 0], index * RANGE_COLUMNS);
  }
  return { root, paths: files.map(([path]) => path), sources: [...sources.keys()], ranges };
}

/** When one thread fails the others are stopped: no file is written after this has returned. */
async function writeBatches(batches: readonly FileBatch[], signal: AbortSignal): Promise<void> {
  const threads = batches.map((batch) => new Worker(new URL(`./file-writer${extname(import.meta.url)}`, import.meta.url), { workerData: batch, execArgv: [], resourceLimits: threadLimits }));
  try {
    await Promise.all(threads.map((thread) => ended(thread, signal)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** @throws Aborted; what the thread throws */
function ended(thread: Worker, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => reject(stopped(signal));
  signal.addEventListener("abort", stop, { once: true });
  thread.once("message", ({ code, message }: { readonly code: ErrorCode; readonly message: string }) => reject(new CodedError(code, message)));
  thread.once("error", reject);
  thread.once("exit", () => resolve());
  return promise.finally(() => signal.removeEventListener("abort", stop));
}

function stopped(signal: AbortSignal): CodedError {
  return new CodedError("Aborted", "stopped while writing the directory", { cause: signal.reason });
}
