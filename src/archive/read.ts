import { CodedError, stopIfAborted } from "../errors.ts";
import type { Budget } from "./budget.ts";
import { decompress, type Compression } from "./decompress.ts";
import type { DigestAhead } from "./digest-ahead.ts";
import { releaseOutput } from "./output-buffers.ts";
import { normalisePath, quote } from "./path.ts";
import { TarScanner, type ScannedEntry } from "./scanner.ts";
import { SpoolWriter } from "./spool.ts";
import { Tree, type FileEntry } from "./tree.ts";

/** What was left out of a tree while it was read. */
export interface ReadCounts {
  /** Devices and FIFOs. */
  special: number;
}

export interface TarRequest {
  readonly compression: Compression;
  /** The uncompressed tar becomes this scratch file. */
  readonly spoolPath: string;
  readonly budget: Budget;
  readonly signal: AbortSignal;
  readonly ahead?: ReadAhead | undefined;
}

/**
 * Told of each file when the archive names it; what comes later may still hide it, or make the archive invalid.
 * @param written says how many bytes of its scratch file are there
 */
export type FileListener = (path: string, file: FileEntry, written: () => number) => void;

/** Who works on a tar while it is still being read. */
export interface ReadAhead {
  readonly onFile: FileListener;
  /** Is shown every entry and body. */
  readonly digest?: DigestAhead | undefined;
}

/**
 * Reads a tar into a tree. Bodies are ranges of the scratch file, so that no name ever reaches the file system and nothing
 * is copied.
 *
 * @throws ArchiveInvalid, ArchiveUnsupported, ArchiveUnsafePath, ArchiveTooLarge, ArchiveRatioExceeded,
 * ArchiveTooManyEntries, StorageFailed, Aborted; whatever the source throws
 */
export async function readTar(
  source: AsyncIterable<Buffer>,
  request: TarRequest,
): Promise<{ tree: Tree; counts: ReadCounts }> {
  const { compression, spoolPath, budget, signal, ahead } = request;
  const spool = await SpoolWriter.create(spoolPath, compression === "none" ? undefined : releaseOutput);
  const tree = new Tree(budget.limits.maxEntries);
  const counts: ReadCounts = { special: 0 };
  const written = (): number => spool.written;
  const add = (entry: ScannedEntry): void => {
    budget.spendEntry(entry.name.length + entry.link.length);
    const path = normalisePath(entry.name);
    addEntry(tree, path, entry, { spoolPath, counts });
    const added = ahead && tree.entries.get(path);
    if (added === undefined) return;
    digest?.take(entry.type, path, added);
    if (entry.type === "file" && added.kind === "file") ahead?.onFile(path, added, written);
  };
  const digest = ahead?.digest;
  const data = digest && ((chunk: Buffer, start: number, end: number) => digest.data(chunk, start, end));
  const scanner = new TarScanner({ entry: add, ...(data && { data }) }, budget.limits);
  try {
    await decompress(compression, source, (chunk) => {
      // One piece of the source may expand to gigabytes.
      stopIfAborted(signal, "while reading a tar");
      budget.checkExpanded(spool.size + chunk.length);
      budget.spend(chunk.length);
      scanner.push(chunk);
      return spool.write(chunk);
    });
    scanner.finish();
  } catch (error) {
    await spool.abandon();
    throw error;
  }
  await spool.close();
  return { tree, counts };
}

function addEntry(
  tree: Tree,
  path: string,
  entry: ScannedEntry,
  { spoolPath, counts }: { readonly spoolPath: string; readonly counts: ReadCounts },
): void {
  switch (entry.type) {
    case "dir":
      return tree.putDirectory(path);
    case "file":
      if (path === "") throw new CodedError("ArchiveInvalid", "the archive's root is a file");
      return tree.put(path, {
        kind: "file",
        executable: (entry.mode & 0o111) !== 0,
        body: { file: spoolPath, offset: entry.offset, size: entry.size },
      });
    case "symlink":
      return tree.put(path, { kind: "symlink", target: entry.link });
    case "hardlink":
      return addHardLink(tree, path, entry.link);
    default:
      counts.special += 1;
  }
}

/** A hard link is a second name for a file that came before it, here or in an earlier layer of a file system. */
function addHardLink(tree: Tree, path: string, link: string): void {
  const target = normalisePath(link);
  const entry = tree.entries.get(target);
  if (entry?.kind === "dir" || target === "")
    throw new CodedError("ArchiveInvalid", `the archive has a hard link ${quote(path)} to a directory`);
  if (target === path) return;
  tree.put(path, entry ?? { kind: "hardlink", target });
}
