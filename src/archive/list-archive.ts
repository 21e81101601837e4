import { createHash, type Hash } from "node:crypto";
import type { StagedBlob } from "../oci/types.ts";
import { scanArchive, type ScanContext } from "./scan-archive.ts";
import type { ScannedEntry, ScannedType, ScanHandler } from "./scanner.ts";

/** One entry of an archive, as consumers see it. */
export interface ListedEntry {
  readonly type: ScannedType;
  readonly isExecutable: boolean;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, or of where a link leads; lower-case hexadecimal digits. */
  readonly digest: string;
}

/**
 * The entries of a tar.gz of this machine by path, without `./` before it and `/` behind it; of entries with one path the last.
 * @param what such as `while comparing`, for the error of an abort
 * @throws Archive… for what is not one; Aborted
 */
export async function listArchive(
  blob: Pick<StagedBlob, "path" | "size">,
  context: ScanContext,
  what: string,
): Promise<ReadonlyMap<string, ListedEntry>> {
  const lister = new Lister();
  await scanArchive(blob, lister, context, what);
  return lister.finished();
}

/** The path that an entry's name stands for. */
export function pathOf(name: string): string {
  return name.replace(/^\.\//, "").replace(/\/$/, "");
}

class Lister implements ScanHandler {
  readonly #entries = new Map<string, ListedEntry>();
  #open: { readonly path: string; readonly entry: ScannedEntry; readonly hash: Hash } | undefined;

  entry(entry: ScannedEntry): void {
    this.#close();
    const path = pathOf(entry.name);
    if (entry.type === "file") this.#open = { path, entry, hash: createHash("sha256") };
    else this.#entries.set(path, { type: entry.type, isExecutable: false, size: 0, digest: sha256Of(entry.link) });
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#open?.hash.update(chunk.subarray(start, end));
  }

  finished(): ReadonlyMap<string, ListedEntry> {
    this.#close();
    return this.#entries;
  }

  #close(): void {
    if (this.#open === undefined) return;
    const { path, entry, hash } = this.#open;
    const isExecutable = (entry.mode & 0o111) !== 0;
    this.#entries.set(path, { type: "file", isExecutable, size: entry.size, digest: hash.digest("hex") });
    this.#open = undefined;
  }
}

const sha256Of = (text: string): string => createHash("sha256").update(text).digest("hex");
