import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, opendir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { listArchive, type ListedEntry, pathOf } from "../../archive/list-archive.ts";
import { scanArchive, type ScanContext } from "../../archive/scan-archive.ts";
import type { ScannedEntry, ScannedType, ScanHandler } from "../../archive/scanner.ts";
import { CodedError, stopIfAborted } from "../../errors.ts";
import type { StagedBlob } from "../../oci/types.ts";

/** One file; a directory is nothing by itself. */
export type ListedFile = ListedEntry & { readonly type: Exclude<ScannedType, "dir"> };

/** The files of one side, without their content. */
export interface Files {
  readonly byPath: ReadonlyMap<string, ListedFile>;
  /** The content of `paths`, each of which is small enough to be held. */
  read(paths: ReadonlySet<string>): Promise<ReadonlyMap<string, Buffer>>;
}

/** For the error of an abort. */
const comparing = "while comparing";

/** The files of an artifact; it is read anew for contents. @throws Archive… */
export async function archiveFiles(blob: Pick<StagedBlob, "path" | "size">, context: ScanContext): Promise<Files> {
  const entries = await listArchive(blob, context, comparing);
  return {
    byPath: new Map([...entries].filter((pair): pair is [string, ListedFile] => pair[1].type !== "dir")),
    read: async (paths) => {
      const collector = new Collector(paths);
      if (paths.size > 0) await scanArchive(blob, collector, context, comparing);
      return collector.finished();
    },
  };
}

const hashed = (text: string): string => createHash("sha256").update(text).digest("hex");

class Collector implements ScanHandler {
  readonly #wanted: ReadonlySet<string>;
  readonly #contents = new Map<string, Buffer[]>();
  #chunks: Buffer[] | undefined;

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  entry({ type, name }: ScannedEntry): void {
    const path = pathOf(name);
    this.#chunks = type === "file" && this.#wanted.has(path) ? [] : undefined;
    if (this.#chunks !== undefined) this.#contents.set(path, this.#chunks);
  }

  data(chunk: Buffer, start: number, end: number): void {
    // The scanner's chunks are used again.
    this.#chunks?.push(Buffer.from(chunk.subarray(start, end)));
  }

  finished(): ReadonlyMap<string, Buffer> {
    return new Map([...this.#contents].map(([path, chunks]) => [path, Buffer.concat(chunks)]));
  }
}

/** The files below a directory; symlinks are listed and not followed. @throws ArchiveTooManyEntries, StorageFailed */
export async function directoryFiles(root: string, { limits, signal }: ScanContext): Promise<Files> {
  const byPath = new Map<string, ListedFile>();
  const waiting = [""];
  for (let at = 0; at < waiting.length; at++) {
    const below = waiting[at]!;
    for await (const { name } of await opendir(join(root, below))) {
      stopIfAborted(signal, "while reading the directory");
      const path = below === "" ? name : `${below}/${name}`;
      const listed = await fileAt(join(root, path));
      if (listed === "directory") waiting.push(path);
      else byPath.set(path, listed);
      if (byPath.size + waiting.length > limits.maxEntries)
        throw new CodedError(
          "ArchiveTooManyEntries",
          `${root} has more than ${limits.maxEntries} files; name one below it`,
        );
    }
  }
  return {
    byPath,
    read: async (paths) => {
      const contents = new Map<string, Buffer>();
      for (const path of paths) contents.set(path, await contentOf(join(root, path), byPath.get(path)?.size ?? 0));
      return contents;
    },
  };
}

async function fileAt(path: string): Promise<ListedFile | "directory"> {
  const found = await lstat(path);
  if (found.isDirectory()) return "directory";
  if (found.isSymbolicLink())
    return { type: "symlink", isExecutable: false, size: 0, digest: hashed(await readlink(path)) };
  if (!found.isFile()) return { type: "special", isExecutable: false, size: 0, digest: "" };
  const hash = createHash("sha256");
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  let size = 0;
  for await (const chunk of handle.createReadStream() as AsyncIterable<Buffer>) {
    size += chunk.length;
    hash.update(chunk);
  }
  return { type: "file", isExecutable: (found.mode & 0o111) !== 0, size, digest: hash.digest("hex") };
}

/** At most the `size` that was seen first: a file may grow meanwhile. */
async function contentOf(path: string, size: number): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
