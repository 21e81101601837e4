import { CodedError } from "../errors.ts";
import {
  checkPatternCount,
  IGNORE_FILE,
  MAX_IGNORE_BYTES,
  ignoreRules,
  readPatterns,
  type Ignore,
  type IgnorePattern,
} from "./ignore.ts";
import { baseName, parentOf, quote, unpublishable } from "./path.ts";
import { SpoolReaders } from "./spool-readers.ts";
import type { Body, Tree } from "./tree.ts";

/** How long entries are matched before other work gets its turn; hostile patterns make each of them slow. */
const TURN_MS = 10;

/**
 * Leaves out what spec.ignore, the .sourceignore files of the tree or the default exclusions name; returns how many files.
 * @throws InvalidPattern, ArchiveTooLarge (immense .sourceignore files), StorageFailed, Aborted
 */
export async function applyIgnore(tree: Tree, specIgnore: string | undefined, signal: AbortSignal): Promise<number> {
  const ignores = ignoreRules(await treePatterns(tree, signal), specIgnore);
  const files = countFiles(tree);
  const doomed = await matching(tree, ignores, signal);
  tree.removeWhere((path) => doomed.has(path));
  return files - countFiles(tree);
}

/**
 * Refuses a tree that consumers could not unpack, or that has nothing in it.
 * @throws ArchiveUnsafePath, EmptyResult
 */
export function checkPublishable(tree: Tree): void {
  for (const path of tree.entries.keys()) {
    const reason = unpublishable(path);
    if (reason === undefined) continue;
    throw new CodedError(
      "ArchiveUnsafePath",
      `Flux cannot unpack the path ${quote(path)}: ${reason}; leave it out with spec.ignore`,
    );
  }
  if (countFiles(tree) === 0)
    throw new CodedError("EmptyResult", "no file is left to publish; check spec.ignore and the layer selector");
}

async function matching(tree: Tree, ignores: Ignore, signal: AbortSignal): Promise<Set<string>> {
  const doomed = new Set<string>();
  let turnEnds = performance.now() + TURN_MS;
  for (const [path, entry] of tree.entries) {
    if (performance.now() > turnEnds) {
      await new Promise(setImmediate);
      checkAbort(signal);
      turnEnds = performance.now() + TURN_MS;
    }
    if (ignores(path, entry.kind === "dir")) doomed.add(path);
  }
  return doomed;
}

/** The lines of every .sourceignore outside .git: parents before children, so that the nearest file decides. */
async function treePatterns(tree: Tree, signal: AbortSignal): Promise<IgnorePattern[]> {
  const patterns: IgnorePattern[] = [];
  const readers = new SpoolReaders();
  let bytes = 0;
  try {
    for (const path of ignoreFiles(tree)) {
      const entry = tree.entries.get(path)!;
      if (entry.kind !== "file") continue;
      checkAbort(signal);
      bytes += entry.body.size;
      if (bytes > MAX_IGNORE_BYTES)
        throw new CodedError(
          "ArchiveTooLarge",
          `with ${quote(path)} the ${IGNORE_FILE} files have ${bytes} bytes; at most ${MAX_IGNORE_BYTES} are read`,
        );
      patterns.push(...readPatterns(await readText(entry.body, readers), parentOf(path)));
      checkPatternCount(patterns);
    }
  } finally {
    await readers.close();
  }
  return patterns;
}

function ignoreFiles(tree: Tree): string[] {
  const paths = [...tree.entries.keys()].filter(
    (path) => baseName(path) === IGNORE_FILE && !parentOf(path).split("/").includes(".git"),
  );
  return paths.sort((a, b) => (parentOf(a) < parentOf(b) ? -1 : 1));
}

async function readText(body: Body, readers: SpoolReaders): Promise<string> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.size;) {
    const piece = Buffer.from(await readers.read(body.file, body.offset + at, body.size - at));
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces).toString("utf8");
}

function checkAbort(signal: AbortSignal): void {
  if (signal.aborted) throw new CodedError("Aborted", "stopped while matching ignore rules", { cause: signal.reason });
}

function countFiles(tree: Tree): number {
  let files = 0;
  for (const entry of tree.entries.values()) if (entry.kind === "file") files += 1;
  return files;
}
