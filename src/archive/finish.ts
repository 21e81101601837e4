import { CodedError } from "../errors.ts";
import { checkPatternCount, IGNORE_FILE, MAX_IGNORE_BYTES, ignoreRules, readPatterns, type Ignore, type IgnorePattern } from "./ignore.ts";
import { baseName, parentOf, quote, unpublishable } from "./path.ts";
import { SpoolReaders } from "./spool-readers.ts";
import type { Body, Tree } from "./tree.ts";

/** How many entries are matched before other work gets its turn. */
const ENTRIES_PER_TURN = 1000;

/**
 * Leaves out what spec.ignore, the .sourceignore files of the tree or the default exclusions name; returns how many files.
 * @throws InvalidPattern, ArchiveTooLarge (an immense .sourceignore), StorageFailed
 */
export async function applyIgnore(tree: Tree, specIgnore: string | undefined, signal: AbortSignal): Promise<number> {
  const ignores = ignoreRules(await treePatterns(tree), specIgnore);
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
    throw new CodedError("ArchiveUnsafePath", `Flux cannot unpack the path ${quote(path)}: ${reason}; leave it out with spec.ignore`);
  }
  if (countFiles(tree) === 0) throw new CodedError("EmptyResult", "no file is left to publish; check spec.ignore and the layer selector");
}

async function matching(tree: Tree, ignores: Ignore, signal: AbortSignal): Promise<Set<string>> {
  const doomed = new Set<string>();
  let count = 0;
  for (const [path, entry] of tree.entries) {
    if (++count % ENTRIES_PER_TURN === 0) {
      await new Promise(setImmediate);
      if (signal.aborted) throw new CodedError("Aborted", "stopped while matching ignore rules", { cause: signal.reason });
    }
    if (ignores(path, entry.kind === "dir")) doomed.add(path);
  }
  return doomed;
}

/** The lines of every .sourceignore outside .git: parents before children, so that the nearest file decides. */
async function treePatterns(tree: Tree): Promise<IgnorePattern[]> {
  const patterns: IgnorePattern[] = [];
  const readers = new SpoolReaders();
  try {
    for (const path of ignoreFiles(tree)) {
      const entry = tree.entries.get(path)!;
      if (entry.kind === "file") patterns.push(...readPatterns(await readText(entry.body, path, readers), parentOf(path)));
      checkPatternCount(patterns);
    }
  } finally {
    await readers.close();
  }
  return patterns;
}

function ignoreFiles(tree: Tree): string[] {
  const paths = [...tree.entries.keys()].filter((path) => baseName(path) === IGNORE_FILE && !parentOf(path).split("/").includes(".git"));
  return paths.sort((a, b) => (parentOf(a) < parentOf(b) ? -1 : 1));
}

async function readText(body: Body, path: string, readers: SpoolReaders): Promise<string> {
  if (body.size > MAX_IGNORE_BYTES) throw new CodedError("ArchiveTooLarge", `${quote(path)} has ${body.size} bytes; at most ${MAX_IGNORE_BYTES} are read`);
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.size; ) {
    const piece = Buffer.from(await readers.read(body.file, body.offset + at, body.size - at));
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces).toString("utf8");
}

function countFiles(tree: Tree): number {
  let files = 0;
  for (const entry of tree.entries.values()) if (entry.kind === "file") files += 1;
  return files;
}
