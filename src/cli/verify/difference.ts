import { createHash, type Hash } from "node:crypto";
import { scanArchive, type ScanContext } from "../../archive/scan-archive.ts";
import type { ScannedEntry, ScanHandler } from "../../archive/scanner.ts";

/** What is the first to differ between two archives, in byte order of the paths. */
export interface Difference {
  readonly path: string;
  /** A phrase: `is only in the pushed artifact`, `is executable in …`. */
  readonly what: string;
}

/** One entry of an archive, as consumers see it. */
interface Listed {
  readonly type: string;
  readonly isExecutable: boolean;
  readonly size: number;
  digest: string;
}

/** @param files the two tar.gz, the pushed one first @throws Archive… for what is not one */
export async function firstDifference(
  files: readonly [pushed: string, rebuilt: string],
  sizes: readonly [number, number],
  context: ScanContext,
): Promise<Difference | undefined> {
  const [pushed, rebuilt] = [await list(files[0], sizes[0], context), await list(files[1], sizes[1], context)];
  const paths = [...new Set([...pushed.keys(), ...rebuilt.keys()])].toSorted(byBytes);
  for (const path of paths) {
    const what = differenceOf(pushed.get(path), rebuilt.get(path));
    if (what !== undefined) return { path, what };
  }
  return undefined;
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function differenceOf(pushed: Listed | undefined, rebuilt: Listed | undefined): string | undefined {
  if (pushed === undefined) return "is only in what was rebuilt";
  if (rebuilt === undefined) return "is only in the pushed artifact";
  if (pushed.type !== rebuilt.type) return `is a ${pushed.type} in the pushed artifact, and a ${rebuilt.type} rebuilt`;
  if (pushed.isExecutable !== rebuilt.isExecutable)
    return `is executable only ${pushed.isExecutable ? "in the pushed artifact" : "rebuilt"}`;
  if (pushed.size !== rebuilt.size)
    return `has ${pushed.size} bytes in the pushed artifact, and ${rebuilt.size} rebuilt`;
  return pushed.digest === rebuilt.digest
    ? undefined
    : `has another content: sha256:${pushed.digest} in the pushed artifact, and sha256:${rebuilt.digest} rebuilt`;
}

async function list(path: string, size: number, context: ScanContext): Promise<Map<string, Listed>> {
  const lister = new Lister();
  await scanArchive({ path, size }, lister, context, "while comparing the archives");
  return lister.finished();
}

class Lister implements ScanHandler {
  readonly #entries = new Map<string, Listed>();
  #hash: Hash | undefined;
  #open: Listed | undefined;

  entry({ type, name, mode, size }: ScannedEntry): void {
    this.#close();
    const isFile = type === "file";
    this.#open = { type, isExecutable: isFile && (mode & 0o111) !== 0, size, digest: "" };
    this.#hash = isFile ? createHash("sha256") : undefined;
    this.#entries.set(name.replace(/^\.\//, "").replace(/\/$/, ""), this.#open);
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#hash?.update(chunk.subarray(start, end));
  }

  finished(): Map<string, Listed> {
    this.#close();
    return this.#entries;
  }

  #close(): void {
    if (this.#open !== undefined && this.#hash !== undefined) this.#open.digest = this.#hash.digest("hex");
    this.#hash = undefined;
  }
}
