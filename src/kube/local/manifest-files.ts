import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { messageOf } from "../../errors.ts";

/** A manifest file at one time. */
export interface FoundFile {
  /** Relative to the directory, for messages. */
  readonly name: string;
  /** Without symbolic links. */
  readonly path: string;
  /** Changes when the content does. */
  readonly version: string;
}

export interface Found {
  readonly files: readonly FoundFile[];
  readonly problems: readonly string[];
}

const suffixes = new Set([".yaml", ".yml", ".json"]);
const maxFiles = 10_000;
const maxDepth = 16;
/** As the API server takes at most about 1.5 MiB for an object, this is some objects. */
const maxFileBytes = 4 * 1024 * 1024;

/**
 * The manifest files below a directory, in order of their names. Names that begin with a dot are passed over. Symbolic links to
 * files are followed inside the directory, because a mounted ConfigMap consists of them; links to directories are not.
 *
 * @throws what the file system says of the directory itself
 */
export async function findManifests(directory: string, signal: AbortSignal): Promise<Found> {
  const root = await realpath(directory);
  const files: FoundFile[] = [];
  const problems: string[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    const names = (await readdir(path)).filter((name) => !name.startsWith("."));
    for (const name of names.sort(byName)) {
      signal.throwIfAborted();
      const entry = await look(join(path, name), root).catch(
        (error: unknown) => `it cannot be read: ${messageOf(error)}`,
      );
      const shown = relative(root, join(path, name));
      if (entry === undefined) continue;
      if (typeof entry === "string") problems.push(`${shown}: ${entry}`);
      else if (entry.stats.isDirectory()) {
        if (depth < maxDepth)
          await visit(entry.path, depth + 1).catch((error: unknown) =>
            problems.push(`${shown}: it cannot be read: ${messageOf(error)}`),
          );
        else problems.push(`${shown}: it lies more than ${maxDepth} directories deep`);
      } else if (files.length < maxFiles)
        files.push({ name: shown, path: entry.path, version: versionOf(entry.stats) });
      else if (files.length === maxFiles)
        problems.push(`${shown}: there are more than ${maxFiles} files; it and those after it are passed over`);
    }
  };
  await readdir(root);
  await visit(root, 0);
  return { files, problems };
}

/** @throws with what is wrong with the file */
export async function readManifestFile(path: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await handle.stat();
    if (size > maxFileBytes) throw new Error(`it has ${size} bytes; a manifest file has at most ${maxFileBytes}`);
    const buffer = Buffer.alloc(size);
    const { bytesRead } = await handle.read(buffer, 0, size, 0);
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** A directory or manifest file; undefined for everything else, a text for what is wrong. */
async function look(
  path: string,
  root: string,
): Promise<{ readonly path: string; readonly stats: Stats } | string | undefined> {
  const stats = await lstat(path);
  if (stats.isDirectory()) return { path, stats };
  if (!suffixes.has(extname(path).toLowerCase())) return undefined;
  if (stats.isFile()) return { path, stats };
  if (!stats.isSymbolicLink()) return undefined;
  const target = await realpath(path);
  if (!target.startsWith(root + sep)) return "it is a symbolic link out of the directory, which is not followed";
  const targetStats = await stat(target);
  return targetStats.isFile() ? { path: target, stats: targetStats } : undefined;
}

function versionOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1;
}
