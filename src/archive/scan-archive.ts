import { createReadStream } from "node:fs";
import { stopIfAborted } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";
import type { StagedBlob } from "../oci/types.ts";
import { Budget } from "./budget.ts";
import { decompress } from "./decompress.ts";
import { releaseOutput } from "./output-buffers.ts";
import { TarScanner, type ScanHandler } from "./scanner.ts";

export interface ScanContext {
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * Reads a tar.gz of this machine once, from its first entry to its last; what it expands to is bounded.
 * @param what such as `while comparing`, for the error of an abort
 * @throws Archive… for what is not one; Aborted
 */
export async function scanArchive(
  { path, size }: Pick<StagedBlob, "path" | "size">,
  handler: ScanHandler,
  { limits, signal }: ScanContext,
  what: string,
): Promise<void> {
  const scanner = new TarScanner(handler, limits);
  const budget = new Budget(limits, size, { expandedBytes: 0 });
  let expanded = 0;
  const source = createReadStream(path, { highWaterMark: 256 * 1024 });
  await decompress("gzip", source as AsyncIterable<Buffer>, (chunk) => {
    stopIfAborted(signal, what);
    expanded += chunk.length;
    budget.checkExpanded(expanded);
    scanner.push(chunk);
    releaseOutput(chunk);
    return undefined;
  });
  scanner.finish();
}
