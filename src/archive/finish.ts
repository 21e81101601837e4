import { CodedError, stopIfAborted, stopped } from "../errors.ts";
import { EventLoopTurns } from "../event-loop-turns.ts";
import {
  checkPatternCount,
  describePattern,
  ignoreFile,
  maxIgnoreBytes,
  ignoreRules,
  readPatterns,
  type DefaultExclusions,
  type IgnorePattern,
} from "./ignore.ts";
import { baseName, ignorePatternOf, parentOf, quote, unpublishable } from "./path.ts";
import { SpoolReaders } from "./spool-readers.ts";
import type { Body, Tree } from "./tree.ts";

/** What was left out, for messages and reports. */
export interface LeftOut {
  readonly files: number;
  /** The first few, each with the pattern that names it. */
  readonly examples: readonly string[];
}

export interface IgnoreRequest {
  readonly specIgnore: string | undefined;
  /** What holds where neither spec.ignore nor a .sourceignore says anything. */
  readonly defaults: DefaultExclusions;
  /** Directories that were made around what is matched; patterns see paths inside of them. */
  readonly roots?: ReadonlySet<string> | undefined;
}

const maxExamples = 3;
const matching = "while matching ignore rules";

/**
 * Leaves out what spec.ignore, the .sourceignore files of the tree or the default exclusions name. A directory stays
 * where anything in it does.
 * @throws InvalidPattern, ArchiveTooLarge (immense .sourceignore files), StorageFailed, Aborted
 */
export async function applyIgnore(
  tree: Tree,
  { specIgnore, ...options }: IgnoreRequest,
  signal: AbortSignal,
): Promise<LeftOut> {
  const ignores = ignoreRules(await treePatterns(tree, signal), specIgnore, options);
  const doomed = new Map<string, IgnorePattern>();
  const turns = new EventLoopTurns(signal);
  for (const [path, entry] of tree.entries) {
    const turn = turns.next();
    if (turn !== undefined) await stoppedAt(turn);
    const pattern = ignores(path, entry.kind === "dir");
    if (pattern !== undefined) doomed.set(path, pattern);
  }
  return doomed.size === 0 ? { files: 0, examples: [] } : removeUnneeded(tree, doomed);
}

function removeUnneeded(tree: Tree, doomed: ReadonlyMap<string, IgnorePattern>): LeftOut {
  const needed = new Set<string>();
  for (const path of tree.entries.keys()) {
    if (doomed.has(path)) continue;
    for (let up = parentOf(path); up !== "" && !needed.has(up); up = parentOf(up)) needed.add(up);
  }
  let files = 0;
  const examples: string[] = [];
  for (const [path, pattern] of doomed) {
    if (needed.has(path)) continue;
    if (tree.entries.get(path)?.kind === "file") {
      files += 1;
      if (examples.length < maxExamples) examples.push(`${quote(path)} by ${describePattern(pattern)}`);
    }
    tree.entries.delete(path);
  }
  return { files, examples };
}

/**
 * Refuses a tree that consumers could not unpack, or that has nothing in it.
 * @param leftOut what the ignore rules took from it
 * @throws ArchiveUnsafePath, EmptyResult
 */
export function checkPublishable(tree: Tree, leftOut: LeftOut = { files: 0, examples: [] }): void {
  for (const path of tree.entries.keys()) {
    const reason = unpublishable(path);
    if (reason === undefined) continue;
    throw new CodedError(
      "ArchiveUnsafePath",
      `Flux cannot unpack the path ${quote(path)}: ${reason}; to leave it out, write\nignore: ${quote(ignorePatternOf(path))}`,
      { details: { path: quote(path) } },
    );
  }
  if (!hasFiles(tree)) throw nothingLeft(leftOut);
}

function nothingLeft({ files, examples }: LeftOut): CodedError {
  const found =
    files === 0
      ? "there is no file in what was selected; check layerSelector"
      : `every file is left out (${files}): ${examples.join(", ")}${files > examples.length ? ", …" : ""}; to keep files, write patterns of your own in spec.ignore`;
  return new CodedError("EmptyResult", `no file is left to publish: ${found}`);
}

function hasFiles(tree: Tree): boolean {
  for (const entry of tree.entries.values()) if (entry.kind === "file") return true;
  return false;
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
      stopIfAborted(signal, matching);
      bytes += entry.body.size;
      if (bytes > maxIgnoreBytes)
        throw new CodedError(
          "ArchiveTooLarge",
          `with ${quote(path)} the ${ignoreFile} files have ${bytes} bytes; at most ${maxIgnoreBytes} are read`,
        );
      patterns.push(...readPatterns(await readText(entry.body, readers), parentOf(path), path));
      checkPatternCount(patterns);
    }
  } finally {
    await readers.close();
  }
  return patterns;
}

function ignoreFiles(tree: Tree): string[] {
  const paths: string[] = [];
  for (const path of tree.entries.keys())
    if (path.endsWith(ignoreFile) && baseName(path) === ignoreFile && !parentOf(path).split("/").includes(".git"))
      paths.push(path);
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

async function stoppedAt(turn: Promise<void>): Promise<void> {
  await turn.catch((reason: unknown) => Promise.reject(stopped(matching, reason)));
}
