import { listArchive, type ListedEntry } from "../../archive/list-archive.ts";
import type { ScanContext } from "../../archive/scan-archive.ts";
import type { StagedBlob } from "../../oci/types.ts";
import { counted } from "../../text/count.ts";

/** What is the first to differ between two archives, in byte order of the paths. */
export interface Difference {
  readonly path: string;
  /** A phrase: `is only in the pushed artifact`, `is executable in …`. */
  readonly what: string;
}

type Archive = Pick<StagedBlob, "path" | "size">;

/** The first path, in byte order, at which two tar.gz differ. @throws Archive… for what is not one */
export async function firstDifference(
  archives: { readonly pushed: Archive; readonly rebuilt: Archive },
  context: ScanContext,
): Promise<Difference | undefined> {
  const pushed = await listArchive(archives.pushed, context, comparing);
  const rebuilt = await listArchive(archives.rebuilt, context, comparing);
  const paths = [...new Set([...pushed.keys(), ...rebuilt.keys()])].toSorted(byBytes);
  for (const path of paths) {
    const what = differenceOf(pushed.get(path), rebuilt.get(path));
    if (what !== undefined) return { path, what };
  }
  return undefined;
}

/** For the error of an abort. */
const comparing = "while comparing the archives";

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function differenceOf(pushed: ListedEntry | undefined, rebuilt: ListedEntry | undefined): string | undefined {
  if (pushed === undefined) return "is only in what was rebuilt";
  if (rebuilt === undefined) return "is only in the pushed artifact";
  if (pushed.type !== rebuilt.type) return `is a ${pushed.type} in the pushed artifact, and a ${rebuilt.type} rebuilt`;
  if (pushed.isExecutable !== rebuilt.isExecutable)
    return `is executable only ${pushed.isExecutable ? "in the pushed artifact" : "rebuilt"}`;
  if (pushed.size !== rebuilt.size)
    return `has ${counted(pushed.size, "byte")} in the pushed artifact, and ${rebuilt.size} rebuilt`;
  if (pushed.digest === rebuilt.digest) return undefined;
  return pushed.type !== "file"
    ? `is a ${pushed.type} that leads elsewhere`
    : `has another content: sha256:${pushed.digest} in the pushed artifact, and sha256:${rebuilt.digest} rebuilt`;
}
